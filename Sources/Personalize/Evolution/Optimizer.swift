/// An ask/tell optimizer over a box: a pure value that follows from its seed and what it was told.
///
/// Replaying the same fitness values gives the same state, so nothing of it needs to be stored.
public protocol Optimizer: Sendable {
    /// How many weights a point has.
    var dimension: Int { get }
    /// The next generation's points, within the bounds.
    mutating func ask() -> [[Double]]
    /// Fitness of the asked points, larger is better; at the end of a budget for the first of them only.
    mutating func tell(_ points: [[Double]], fitness: [Double])
    /// The point to use if the search ended now; the start before anything was told.
    var recommendation: [Double] { get }
}

/// The searches by name.
public enum Search: String, CaseIterable, Codable, Sendable {
    /// CMA-ES as its authors define it: full covariance, standard population.
    case cmaES = "cma-es"
    /// What the PriME reference runs under that name: nevergrad's bounded variant, diagonal and elitist.
    case primeCMA = "prime-cma"
}

/// What is wrong with a search's settings.
public struct EvolutionError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What is out of its range, in words.
    public let found: String
    /// What to do about it, in words.
    public let remedy: String

    public var description: String { "search: \(found); \(remedy)" }
}

/// The most weights that are searched: the covariance is a dense matrix.
public let largestDimension = 2048

/// Refuses a search over more weights than any is made for, or over none.
public func requireSearchable(dimension: Int) throws(EvolutionError) {
    guard (1...largestDimension).contains(dimension) else {
        throw EvolutionError(
            found: "\(dimension) weights",
            remedy: "search 1 to \(largestDimension): fewer sharers, or one weight an adapter")
    }
}

/// A search over `dimension` weights that starts at 0.
///
/// - Parameters:
///   - bounds: every weight's bounds, around 0.
///   - budget: evaluations that will be told, at least 1.
public func makeOptimizer(
    _ search: Search, dimension: Int, bounds: ClosedRange<Double>, budget: Int, seed: UInt64
) throws(EvolutionError) -> any Optimizer {
    try requireSearchable(dimension: dimension)
    guard bounds.lowerBound < 0, bounds.upperBound > 0, bounds.lowerBound.isFinite, bounds.upperBound.isFinite else {
        throw EvolutionError(
            found: "bounds \(bounds.lowerBound) to \(bounds.upperBound)",
            remedy: "give finite bounds around 0, where the base lies")
    }
    guard budget >= 1 else {
        throw EvolutionError(found: "budget \(budget)", remedy: "give at least 1")
    }
    switch search {
    case .cmaES:
        // A sixth of the width: most first points fall within, and 3 sigma reach the bounds.
        return CMAES(
            start: Array(repeating: 0, count: dimension), sigma: (bounds.upperBound - bounds.lowerBound) / 6,
            bounds: bounds, seed: seed)
    case .primeCMA:
        return PrimeCMA(dimension: dimension, bounds: bounds, seed: seed)
    }
}

/// Brings a value into the bounds by one reflection: clip, reflect, clip (nevergrad's "bouncing").
func bounced(_ value: Double, _ bounds: ClosedRange<Double>) -> Double {
    let low = bounds.lowerBound
    let high = bounds.upperBound
    let reflected = value > high ? 2 * high - value : value < low ? 2 * low - value : value
    return min(max(reflected, low), high)
}

/// Euclidean.
func length(_ v: [Double]) -> Double { v.reduce(0) { $0 + $1 * $1 }.squareRoot() }
