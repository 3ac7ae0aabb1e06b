import Glibc

/// The search that the PriME reference runs as "CMA": nevergrad's CMAbounded, for comparison with its results.
///
/// A population of 4 + ln d, diagonal covariance with exponential updates, the best point put in front of worse
/// generations, points bounced into the bounds. It recommends the best point that was told in whole generations, and a
/// flat first generation starts it afresh, forgetting that point.
public struct PrimeCMA: Optimizer {
    public let dimension: Int
    public let population: Int

    private let bounds: ClosedRange<Double>
    private let startSigma: Double
    private let rates: Recombination
    private var normal: NormalStream
    private var mean: [Double] = []
    private var sigma = 0.0
    private var scaling: [Double] = []  // standard deviations in units of sigma
    private var path: [Double] = []
    private var rankOnePath: [Double] = []
    private var generation = 0
    private var best: (point: [Double], fitness: Double)?
    /// Best fitness of recent generations, newest last.
    private var history: [Double] = []
    /// The best of everything told, which stands in while a fresh start knows nothing.
    private var bestEver: (point: [Double], fitness: Double)?
    /// Told points that do not make a generation yet.
    private var pending: [(point: [Double], fitness: Double)] = []

    public init(dimension: Int, bounds: ClosedRange<Double>, seed: UInt64) {
        self.dimension = dimension
        self.bounds = bounds
        population = 4 + Int(log(Double(dimension)))
        // nevergrad searches in units of a sixth of the bounds' width.
        let unit = (bounds.upperBound - bounds.lowerBound) / 6
        startSigma = 1.5884 * (dimension < 18 ? 0.3 : 0.15) * unit
        rates = Recombination(dimension: dimension, population: population, isDiagonal: true)
        normal = NormalStream(seed: seed)
        reset()
    }

    public var recommendation: [Double] {
        best?.point ?? bestEver?.point ?? Array(repeating: 0, count: dimension)
    }

    private mutating func reset() {
        mean = Array(repeating: 0, count: dimension)
        sigma = startSigma
        scaling = Array(repeating: 1, count: dimension)
        path = mean
        rankOnePath = mean
        generation = 0
        best = nil
        history = []
    }

    public mutating func ask() -> [[Double]] {
        (0..<population).map { _ in
            let z = normal.vector(dimension)
            return (0..<dimension).map { bounced(mean[$0] + sigma * scaling[$0] * z[$0], bounds) }
        }
    }

    public mutating func tell(_ points: [[Double]], fitness: [Double]) {
        for (point, value) in zip(points, fitness) {
            pending.append((point, value))
            if bestEver == nil || value > bestEver!.fitness { bestEver = (point, value) }
            if pending.count == population {
                update(pending)
                pending = []
            }
        }
    }

    private mutating func update(_ told: [(point: [Double], fitness: Double)]) {
        let order = told.indices.sorted { (told[$1].fitness, $0) < (told[$0].fitness, $1) }
        var points = order.map { told[$0].point }
        let top = told[order[0]]
        var weights = rates.weights
        if let best, best.fitness > top.fitness {
            points.insert(elite(best.point), at: 0)
            // The extra rank weighs nothing, between the good and the bad.
            weights.insert(0, at: rates.parents)
        }
        if best == nil || top.fitness > best!.fitness { best = top }
        generation += 1
        adapt(points, weights)
        history.append(top.fitness)
        let kept = 10 + 30 * dimension / population
        if history.count > kept { history.removeFirst() }
        let worst = told[order[order.count - 1]].fitness
        let isFlat = top.fitness - worst < 1e-11 && (history.max()! - history.min()!) < 1e-11
        if isFlat || sigma * scaling.max()! < 1e-11 { reset() }
    }

    /// The best point, drawn towards the mean or away from it to a typical distance.
    private mutating func elite(_ point: [Double]) -> [Double] {
        let steps = zip(zip(point, mean), scaling).map { ($0.0 - $0.1) / (sigma * $1) }
        let norm = steps.reduce(0) { $0 + $1 * $1 }.squareRoot()
        let length = normal.vector(dimension).reduce(0) { $0 + $1 * $1 }.squareRoot()
        guard norm > 0 else { return point }
        return zip(point, mean).map { $1 + ($0 - $1) * length / norm }
    }

    private mutating func adapt(_ points: [[Double]], _ weights: [Double]) {
        let steps = points.map { point in
            zip(zip(point, mean), scaling).map { ($0.0 - $0.1) / (sigma * $1) }
        }
        var shift = [Double](repeating: 0, count: dimension)
        for rank in 0..<rates.parents {
            for i in 0..<dimension { shift[i] += rates.weights[rank] * steps[rank][i] }
        }
        for i in 0..<dimension { mean[i] += sigma * scaling[i] * shift[i] }
        let gain = (rates.pathDecay * (2 - rates.pathDecay) * rates.effective).squareRoot()
        for i in 0..<dimension { path[i] = (1 - rates.pathDecay) * path[i] + gain * shift[i] }
        let square = path.reduce(0) { $0 + $1 * $1 }
        let bias = 1 - pow(1 - rates.pathDecay, 2 * Double(generation))
        let isMoving = square / bias / Double(dimension) - 1 < 1 + 4 / (Double(dimension) + 1)
        let rankOneGain = (rates.rankOneDecay * (2 - rates.rankOneDecay) * rates.effective).squareRoot()
        for i in 0..<dimension {
            rankOnePath[i] = (1 - rates.rankOneDecay) * rankOnePath[i] + (isMoving ? rankOneGain * shift[i] : 0)
        }
        let missing = isMoving ? 0 : rates.rankOneDecay * (2 - rates.rankOneDecay)
        let rankOne = rates.rankOne * (1 - missing)
        // scaling *= 2^(sum of w (z^2 - 1) / 2), the rates folded into w
        for i in 0..<dimension {
            var exponent = rankOne * (rankOnePath[i] * rankOnePath[i] - 1)
            for (step, weight) in zip(steps, weights) { exponent += rates.rankMany * weight * (step[i] * step[i] - 1) }
            scaling[i] *= pow(2, exponent / 2)
        }
        sigma *= exp(min(1, (square.squareRoot() / rates.normalLength - 1) * rates.pathDecay / rates.damping))
    }
}
