import Digest

/// A seeded stream of random numbers.
public struct RandomStream: RandomNumberGenerator, Sendable {
    private var words: SplitMix64

    public init(seed: UInt64) { words = SplitMix64(seed: seed) }

    public mutating func next() -> UInt64 { words.next() }

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
