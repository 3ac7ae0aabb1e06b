/// Steele, Lea and Flood's SplitMix64: a seeded stream of 64-bit words, the same on every machine and for every Swift version.
public struct SplitMix64: Sendable, Equatable {
    /// What the state gains with each word: 2^64 divided by the golden ratio, an odd number.
    public static let increment: UInt64 = 0x9e37_79b9_7f4a_7c15

    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    /// The stream's next word, uniform in all 64 bits.
    public mutating func next() -> UInt64 {
        state &+= Self.increment
        return Self.mixed(state)
    }

    /// Its finalizer: every bit of the answer hangs on every bit of `word`.
    public static func mixed(_ word: UInt64) -> UInt64 {
        var word = word
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}

/// 64-bit FNV-1a of a text: quick, and no proof of anything.
public func fnv1a(_ text: String) -> UInt64 {
    text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
}
