/// A seeded stream of random numbers (SplitMix64), the same on every machine and for every Swift version.
public struct RandomStream: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    /// Uniform in `0..<bound`, without bias (Lemire's multiplication with rejection). `bound` is positive.
    public mutating func next(below bound: UInt64) -> UInt64 {
        let unfair = (0 &- bound) % bound
        while true {
            let product = next().multipliedFullWidth(by: bound)
            if product.low >= unfair { return product.high }
        }
    }

    /// `count` different numbers of `0..<population`, ascending.
    public mutating func choose(_ count: Int, of population: Int) -> [Int] {
        var numbers = Array(0..<population)
        let chosen = min(count, population)
        for place in 0..<chosen {
            numbers.swapAt(place, place + Int(next(below: UInt64(population - place))))
        }
        return numbers[..<chosen].sorted()
    }
}
