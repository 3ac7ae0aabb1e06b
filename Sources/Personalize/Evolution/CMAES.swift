import COpenBLAS
import Glibc

/// CMA-ES with full covariance and standard settings, for few evaluations of a fitness that moves in steps.
///
/// Points are bounced into the bounds, and the bounced point is what the distribution learns from. Within a generation
/// ties share their weights. A generation whose points are all alike in fitness teaches nothing but to look further: the
/// step size grows. The recommendation is the best point seen, of equal ones the one nearest to 0, which is the base.
/// When the distribution has shrunk to a point, the search begins anew with other random numbers.
public struct CMAES: Optimizer {
    public let dimension: Int
    /// How often the search began anew after it had converged.
    public private(set) var restarts = 0
    /// Points a generation.
    public let population: Int

    private let start: [Double]
    private let startSigma: Double
    private let bounds: ClosedRange<Double>?
    private let rates: Recombination
    private var normal: NormalStream
    private(set) var mean: [Double]
    private(set) var sigma: Double
    private(set) var covariance: [Double]  // C, [d, d]
    private var axes: [Double]  // B, [d, d], an eigenvector a row
    private var lengths: [Double]  // D
    private var path: [Double]  // p_sigma
    private var rankOnePath: [Double]  // p_c
    private var generation = 0
    private var decomposed = 0
    /// The best fitness of each of the last generations since the start.
    private var recentBest: [Double] = []
    private var isConverged = false
    private var best: (point: [Double], fitness: Double)?

    /// - Parameters:
    ///   - bounds: nil for an unbounded search.
    ///   - population: nil for the standard 4 + 3 ln d.
    public init(start: [Double], sigma: Double, bounds: ClosedRange<Double>?, population: Int? = nil, seed: UInt64) {
        dimension = start.count
        self.population = population ?? 4 + Int(3 * log(Double(start.count)))
        self.start = start
        startSigma = sigma
        self.bounds = bounds
        rates = Recombination(dimension: start.count, population: self.population)
        normal = NormalStream(seed: seed)
        mean = start
        self.sigma = sigma
        covariance = []
        axes = []
        lengths = []
        path = []
        rankOnePath = []
        reset()
    }

    public var recommendation: [Double] { best?.point ?? start }

    private mutating func reset() {
        mean = start
        sigma = startSigma
        covariance = (0..<(dimension * dimension)).map { $0 % (dimension + 1) == 0 ? 1 : 0 }
        axes = covariance
        lengths = Array(repeating: 1, count: dimension)
        path = Array(repeating: 0, count: dimension)
        rankOnePath = path
        generation = 0
        decomposed = 0
        isConverged = false
        recentBest = []
    }

    public mutating func ask() -> [[Double]] {
        if isConverged {
            restarts += 1
            reset()
        }
        // B D z: from isotropic to the covariance's shape.
        var scaled = normal.vector(population * dimension)  // [population, d]
        for i in scaled.indices { scaled[i] *= lengths[i % dimension] }
        let steps = product(scaled, axes, inner: dimension)
        return (0..<population).map { point in
            (0..<dimension).map { index in
                let value = mean[index] + sigma * steps[point * dimension + index]
                return bounds.map { bounced(value, $0) } ?? value
            }
        }
    }

    /// D^-1 B^T y: the coordinates of steps in units of the distribution, [points, d].
    private func coordinates(_ steps: [Double]) -> [Double] {
        var out = product(steps, axes, inner: dimension, transposed: .right)
        for i in out.indices { out[i] /= lengths[i % dimension] }
        return out
    }

    public mutating func tell(_ points: [[Double]], fitness: [Double]) {
        for (point, value) in zip(points, fitness) { remember(point, value) }
        // Half a generation ranks too little to learn from; it still counts for the recommendation.
        guard points.count == population else { return }
        let fitness = fitness.map { $0.isNaN ? -.infinity : $0 }
        guard let first = fitness.first, fitness.contains(where: { $0 != first }) else {
            lookFurther()
            return
        }
        generation += 1
        let ranked = rates.ranked(fitness)
        let steps = points.flatMap { point in zip(point, mean).map { ($0 - $1) / sigma } }  // [population, d]
        // Ties can lift a negative rank into the positive ones, so the mean's weights are made to sum to 1. Where all but one
        // point tie for best, none may be positive: then the mean stays, and the step shrinks.
        let total = ranked.reduce(0) { $0 + max(0, $1.weight) }
        var shift = [Double](repeating: 0, count: dimension)
        for (index, weight) in ranked where weight > 0 {
            for i in 0..<dimension { shift[i] += weight / total * steps[index * dimension + i] }
        }
        for i in 0..<dimension { mean[i] += sigma * shift[i] }
        let isMoving = updatePaths(shift)
        updateCovariance(steps, ranked, isMoving: isMoving)
        sigma *= rates.stepFactor(length(path))
        if Double(generation - decomposed) > 1 / (rates.rankOne + rates.rankMany) / Double(dimension) / 10 {
            decompose()
        }
        isConverged = spread < 1e-11 * startSigma || isLevel(fitness)
    }

    /// Whether fitness differs by rounding alone, in this generation and in the best of the last ones (TolFun).
    private mutating func isLevel(_ fitness: [Double]) -> Bool {
        func range(_ values: [Double]) -> Double { (values.max() ?? 0) - (values.min() ?? 0) }
        recentBest.append(fitness.max() ?? 0)
        let window = 10 + (30 * dimension + population - 1) / population
        guard recentBest.count >= window else { return false }
        recentBest.removeFirst(recentBest.count - window)
        return range(fitness) < 1e-11 && range(recentBest) < 1e-11
    }

    /// The largest standard deviation.
    private var spread: Double { sigma * (lengths.max() ?? 0) }

    /// After a flat generation: a plateau is left by larger steps, as pycma's authors advise; a flat point is an optimum
    /// to the precision of the fitness, where nothing is left to find.
    private mutating func lookFurther() {
        isConverged = spread < 1e-3 * startSigma
        guard spread < 2 * startSigma else { return }
        sigma *= exp(0.2 + rates.pathDecay / rates.damping)
    }

    private mutating func remember(_ point: [Double], _ fitness: Double) {
        guard fitness.isFinite else { return }
        if let best, (best.fitness, -length(best.point)) >= (fitness, -length(point)) { return }
        best = (point, fitness)
    }

    /// Both paths; false while p_sigma is so long that the rank-one update waits (h_sigma).
    private mutating func updatePaths(_ shift: [Double]) -> Bool {
        let straight = coordinates(shift)
        let gain = (rates.pathDecay * (2 - rates.pathDecay) * rates.effective).squareRoot()
        let isotropic = product(straight, axes, inner: dimension)  // C^-1/2 = B D^-1 B^T
        for i in 0..<dimension { path[i] = (1 - rates.pathDecay) * path[i] + gain * isotropic[i] }
        let isMoving = rates.isMoving(length(path), generation: generation)
        let rankOneGain = (rates.rankOneDecay * (2 - rates.rankOneDecay) * rates.effective).squareRoot()
        for i in 0..<dimension {
            rankOnePath[i] = (1 - rates.rankOneDecay) * rankOnePath[i] + (isMoving ? rankOneGain * shift[i] : 0)
        }
        return isMoving
    }

    private mutating func updateCovariance(
        _ steps: [Double], _ ranked: [(index: Int, weight: Double)], isMoving: Bool
    ) {
        // What the waiting path loses in variance stays in C.
        let missing = isMoving ? 0 : rates.rankOneDecay * (2 - rates.rankOneDecay)
        let decay = 1 - rates.rankOne * (1 - missing) - rates.rankMany * ranked.reduce(0) { $0 + $1.weight }
        let coordinates = coordinates(steps)
        var weighted = steps
        for (index, weight) in ranked {
            let row = index * dimension..<(index + 1) * dimension
            var scaled = weight
            if weight < 0 {
                // Bad points shrink C by their direction, not by their length, which keeps C positive.
                let square = coordinates[row].reduce(0) { $0 + $1 * $1 }
                scaled = weight * Double(dimension) / max(square, 1e-12)
            }
            for i in row { weighted[i] *= scaled }
        }
        // C = decay C + c_1 p_c p_c^T + c_mu sum w y y^T
        let rankMany = product(steps, weighted, inner: population, transposed: .left)
        for i in 0..<dimension {
            for j in 0..<dimension {
                let at = i * dimension + j
                covariance[at] *= decay
                covariance[at] += rates.rankOne * rankOnePath[i] * rankOnePath[j] + rates.rankMany * rankMany[at]
            }
        }
    }

    private mutating func decompose() {
        decomposed = generation
        var vectors = covariance
        var values = [Double](repeating: 0, count: dimension)
        let n = Int32(dimension)
        // Column-major: each eigenvector comes out as a row of ours.
        let status = LAPACKE_dsyevd(LAPACK_COL_MAJOR, 86, 85, n, &vectors, n, &values)  // 'V', 'U'
        let largest = values.last ?? 1
        guard status == 0, largest.isFinite, largest > 0 else {
            reset()
            return
        }
        axes = vectors
        // A direction that has all but vanished keeps a trace, so that steps can be divided by it.
        lengths = values.map { max($0, 1e-14 * largest).squareRoot() }
    }
}
