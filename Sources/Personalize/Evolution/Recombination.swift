import Glibc

/// Weights of a generation's ranks and the learning rates that go with them (Hansen, arXiv 1604.00772, Table 1, in the
/// form of its reference implementation).
struct Recombination: Sendable {
    /// By rank, best first; the positive ones sum to 1, the negative ones shrink the covariance where points were bad.
    let weights: [Double]
    /// Ranks with positive weight.
    let parents: Int
    /// Variance-effective number of parents.
    let effective: Double
    /// Path constants and learning rates.
    let pathDecay: Double  // c_sigma
    let damping: Double  // d_sigma
    let rankOneDecay: Double  // c_c
    let rankOne: Double  // c_1
    let rankMany: Double  // c_mu
    /// Expected length of a normal vector.
    let normalLength: Double
    /// Points of a generation that mirror the worst of the last one.
    let mirrors: Int

    private let n: Double

    /// - Parameter isDiagonal: the rates of a diagonal covariance, which has fewer numbers to learn.
    init(dimension: Int, population: Int, isDiagonal: Bool = false, mirrors: Int = 0) {
        let n = Double(dimension)
        self.n = n
        self.mirrors = mirrors
        let raw = (1...population).map { log((Double(population) + 1) / 2) - log(Double($0)) }
        let positive = raw.filter { $0 > 0 }
        let negative = raw.filter { $0 <= 0 }
        parents = positive.count
        func effectiveCount(_ weights: [Double]) -> Double {
            let sum = weights.reduce(0, +)
            return sum * sum / max(weights.reduce(0) { $0 + $1 * $1 }, .leastNormalMagnitude)
        }
        effective = effectiveCount(positive)
        let mu = effective
        pathDecay = min(0.5, (mu + 2) / (n + mu + 3))
        let inner = max(1, 3 * (1 - pow(0.5, n / 9)))
        // Mirrors make step sizes surer, so that they may change faster.
        let surplus = Double(mirrors) / (0.159 * Double(population)) - 1
        damping =
            0.5 + min(1, surplus * surplus) / 2 + 2 * max(0, inner * ((mu - 1) / (n + 1)).squareRoot() - 1) + pathDecay
        if isDiagonal {
            let size = n + 2 * n.squareRoot() + mu / n
            rankOneDecay = (1 + 1 / n + mu / n) / (n.squareRoot() + 1 / n + 2 * mu / n)
            rankOne = 1 / size
            rankMany = min(1 - 1 / size, (0.25 + mu + 1 / mu - 2) / (n + 4 * n.squareRoot() + mu / 2))
        } else {
            rankOneDecay = (4 + mu / n) / (n + 4 + 2 * mu / n)
            rankOne = min(1, Double(population) / 6) * 2 / ((n + 1.3) * (n + 1.3) + mu)
            rankMany = min(1 - rankOne, 2 * (0.25 + mu + 1 / mu - 2) / ((n + 2) * (n + 2) + mu))
        }
        normalLength = 2.0.squareRoot() * exp(lgamma((n + 1) / 2) - lgamma(n / 2))
        let positiveSum = positive.reduce(0, +)
        let negativeSum = -negative.reduce(0, +)
        var shrink = min(1 + rankOne / rankMany, 1 + 2 * effectiveCount(negative) / (mu + 2))
        if !isDiagonal { shrink = min(shrink, (1 - rankOne - rankMany) / (n * rankMany)) }
        weights = raw.map { $0 > 0 ? $0 / positiveSum : negativeSum > 0 ? $0 * shrink / negativeSum : 0 }
    }

    /// False while the step size path is so long that the rank-one update waits (h_sigma).
    func isMoving(_ pathLength: Double, generation: Int) -> Bool {
        let bias = 1 - pow(1 - pathDecay, 2 * Double(generation))
        return pathLength * pathLength / bias / n - 1 < 1 + 4 / (n + 1)
    }

    /// By what the step size is multiplied.
    func stepFactor(_ pathLength: Double) -> Double {
        exp(min(1, (pathLength / normalLength - 1) * pathDecay / damping))
    }

    /// The weights of points in the order of `fitness` (larger is better), equal ones sharing theirs evenly: a tie says
    /// nothing about which is better, and accuracy is full of ties.
    ///
    /// - Returns: the points' indices best first, and a weight for each.
    func ranked(_ fitness: [Double]) -> [(index: Int, weight: Double)] {
        let order = fitness.indices.sorted { (fitness[$1], $0) < (fitness[$0], $1) }
        var ranked: [(index: Int, weight: Double)] = []
        var start = 0
        while start < order.count {
            var end = start + 1
            while end < order.count, fitness[order[end]] == fitness[order[start]] { end += 1 }
            let share = weights[start..<end].reduce(0, +) / Double(end - start)
            for rank in start..<end { ranked.append((order[rank], end - start == 1 ? weights[rank] : share)) }
            start = end
        }
        return ranked
    }
}
