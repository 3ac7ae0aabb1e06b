import Digest
import Glibc

/// Seeded normal numbers: xoshiro256** filled by SplitMix64, and the polar method.
struct NormalStream: Sendable {
    private var state: (UInt64, UInt64, UInt64, UInt64)
    /// The polar method makes two at a time.
    private var spare: Double?

    init(seed: UInt64) {
        var words = SplitMix64(seed: seed)
        state = (words.next(), words.next(), words.next(), words.next())
    }

    private mutating func bits() -> UInt64 {
        func rotate(_ x: UInt64, _ k: UInt64) -> UInt64 { (x << k) | (x >> (64 - k)) }
        let result = rotate(state.1 &* 5, 7) &* 9
        let shifted = state.1 << 17
        state.2 ^= state.0
        state.3 ^= state.1
        state.1 ^= state.2
        state.0 ^= state.3
        state.2 ^= shifted
        state.3 = rotate(state.3, 45)
        return result
    }

    mutating func next() -> Double {
        if let value = spare {
            spare = nil
            return value
        }
        while true {
            let x = Double(bits() >> 11) * 0x1p-52 - 1
            let y = Double(bits() >> 11) * 0x1p-52 - 1
            let square = x * x + y * y
            guard square < 1, square > 0 else { continue }
            let scale = (-2 * log(square) / square).squareRoot()
            spare = y * scale
            return x * scale
        }
    }

    mutating func vector(_ count: Int) -> [Double] { (0..<count).map { _ in next() } }
}
