import Glibc

/// The search that the PriME reference runs as "CMA": nevergrad's CMAbounded over pycma, for comparison with its results.
///
/// A population of 4 + ln d, diagonal covariance with exponential updates, the best point put in front of worse
/// generations, points bounced into the bounds, and under six points a generation the last one's worst point mirrored.
/// It recommends the best point that was told in whole generations. A flat generation, two that are nearly so, or steps
/// too small to matter start it afresh at 0, forgetting that point. Tests replay nevergrad's own runs. Over a single weight,
/// which one sharer has, nevergrad takes its OnePlusOne instead; here it is this same search.
public struct PrimeCMA: Optimizer {
    public let dimension: Int
    /// Points a generation: 4 + ln d, rounded down.
    public let population: Int
    /// How often the search began anew.
    public private(set) var restarts = 0

    private(set) var mean: [Double] = []
    private(set) var sigma = 0.0
    /// Standard deviations in units of sigma.
    private(set) var scaling: [Double] = []

    private let bounds: ClosedRange<Double>
    private let startSigma: Double
    private let rates: Recombination
    private var normal: NormalStream
    private var path: [Double] = []
    private var rankOnePath: [Double] = []
    private var generation = 0
    private var best: (point: [Double], fitness: Double)?
    /// Best fitness of recent generations, newest last.
    private var history: [Double] = []
    /// Generations in a row whose upper three quarters were alike.
    private var nearlyFlat = 0
    private var isOver = false
    /// The best of everything told, of equal ones the last, which stands in while a fresh start knows nothing.
    private var bestEver: (point: [Double], fitness: Double)?
    /// Told points that do not make a generation yet.
    private var pending: [(point: [Double], fitness: Double)] = []
    /// From the last generation's worst point to its mean: where the next generation's first point goes.
    private var mirror: [Double]?
    /// Whether the current generation's first point is a mirror, and whether it is still where the mirror put it.
    private var hasMirror = false
    private var mirrorIsWithin = false

    /// - Parameter bounds: finite and around 0, where the search starts.
    public init(dimension: Int, bounds: ClosedRange<Double>, seed: UInt64) {
        self.dimension = dimension
        self.bounds = bounds
        population = 4 + Int(log(Double(dimension)))
        // nevergrad searches in units of a sixth of the bounds' width.
        let unit = (bounds.upperBound - bounds.lowerBound) / 6
        startSigma = 1.5884 * (dimension < 18 ? 0.3 : 0.15) * unit
        rates = Recombination(
            dimension: dimension, population: population, isDiagonal: true, mirrors: population < 6 ? 1 : 0)
        normal = NormalStream(seed: seed)
        start()
    }

    public var recommendation: [Double] {
        (isOver ? nil : best?.point) ?? bestEver?.point ?? Array(repeating: 0, count: dimension)
    }

    private mutating func start() {
        mean = Array(repeating: 0, count: dimension)
        sigma = startSigma
        scaling = Array(repeating: 1, count: dimension)
        path = mean
        rankOnePath = mean
        generation = 0
        best = nil
        history = []
        nearlyFlat = 0
        isOver = false
        mirror = nil
        hasMirror = false
    }

    public mutating func ask() -> [[Double]] {
        if isOver {
            restarts += 1
            start()
        }
        hasMirror = mirror != nil
        var points: [[Double]] = []
        if let mirror {
            let point = zip(mean, mirrored(mirror)).map { $0 + $1 }
            points.append(point.map { bounced($0, bounds) })
            mirrorIsWithin = points[0] == point
        }
        while points.count < population {
            let z = normal.vector(dimension)
            points.append((0..<dimension).map { bounced(mean[$0] + sigma * scaling[$0] * z[$0], bounds) })
        }
        mirror = nil
        return points
    }

    /// A step further than most is brought to a typical length.
    private mutating func mirrored(_ step: [Double]) -> [Double] {
        let far = length(zip(step, scaling).map { $0 / (sigma * $1) })
        guard far > Double(dimension).squareRoot() else { return step }
        let scale = length(normal.vector(dimension)) / far
        return step.map { $0 * scale }
    }

    public mutating func tell(_ points: [[Double]], fitness: [Double]) {
        for (point, value) in zip(points, fitness) {
            pending.append((point, value))
            if value >= (bestEver?.fitness ?? -.infinity) { bestEver = (point, value) }
            if pending.count == population {
                update(pending)
                pending = []
            }
        }
    }

    private mutating func update(_ told: [(point: [Double], fitness: Double)]) {
        let order = told.indices.sorted { (told[$1].fitness, $0) < (told[$0].fitness, $1) }
        let top = told[order[0]]
        var points = order.map { told[$0].point }
        var weights = rates.weights
        // What the search did not draw itself does not shrink the covariance.
        if hasMirror, mirrorIsWithin, let rank = order.firstIndex(of: 0) { weights[rank] = max(0, weights[rank]) }
        let worst = order[order.count - 1]
        if rates.mirrors > 0, !(hasMirror && worst == 0) {
            mirror = zip(mean, told[worst].point).map { $0 - $1 }
        }
        if let best, best.fitness > top.fitness {
            points.insert(best.point, at: 0)
            // The extra rank weighs nothing, between the good and the bad.
            weights.insert(0, at: rates.parents)
        }
        if top.fitness > (best?.fitness ?? -.infinity) { best = top }
        generation += 1
        adapt(points, weights)
        history.append(top.fitness)
        if history.count > 11 + 30 * dimension / population { history.removeFirst() }
        let threeQuarters = told[order[told.count * 3 / 4]].fitness
        nearlyFlat = top.fitness > threeQuarters ? 0 : nearlyFlat + 1
        let range = history.max()! - history.min()!
        let isFlat = top.fitness - told[worst].fitness < 1e-11 && range < 1e-11
        isOver =
            isFlat || nearlyFlat > 1 || (history.count > 9 && range < 1e-12) || sigma * scaling.max()! < 1e-11
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
        let isMoving = rates.isMoving(length(path), generation: generation)
        let rankOneGain = (rates.rankOneDecay * (2 - rates.rankOneDecay) * rates.effective).squareRoot()
        for i in 0..<dimension {
            rankOnePath[i] =
                (1 - rates.rankOneDecay) * rankOnePath[i] + (isMoving ? rankOneGain * shift[i] : 0)
        }
        let missing = isMoving ? 0 : rates.rankOneDecay * (2 - rates.rankOneDecay)
        let rankOne = rates.rankOne * (1 - missing)
        // scaling *= 2^(sum of w (z^2 - 1) / 2), the rates folded into w
        for i in 0..<dimension {
            var exponent = rankOne * (rankOnePath[i] * rankOnePath[i] - 1)
            for (step, weight) in zip(steps, weights) { exponent += rates.rankMany * weight * (step[i] * step[i] - 1) }
            scaling[i] *= pow(2, exponent / 2)
        }
        sigma *= rates.stepFactor(length(path))
    }
}
