import FoundationEssentials
import Glibc
import Testing

@testable import Evolution

/// Evaluations to 1e-8 beside pycma's on the same functions (Fixtures/pycma.py, 200 seeds).
///
/// A few seeds in small dimensions by default; `PRIMED_SEEDS=1-200 swift test -c release -Xswiftc -enable-testing
/// --filter BenchmarkTests` runs all of it and prints every run and the table; PRIMED_DIMENSIONS=24,96 and
/// PRIMED_PROBLEMS=sphere,rastrigin choose parts, a range of seeds one part of the hours that 96 dimensions take.
@Suite struct BenchmarkTests {
    struct Peer: Decodable {
        var runs: [String: [Int?]]
        var target: Double
        var rastrigin_population: Int
    }

    struct Problem: Sendable, CustomTestStringConvertible {
        var name: String
        var start: Double
        var sigma: Double
        var value: @Sendable ([Double]) -> Double

        var testDescription: String { name }
    }

    static let problems = [
        Problem(name: "sphere", start: 1, sigma: 0.5) { $0.reduce(0) { $0 + $1 * $1 } },
        Problem(name: "ellipsoid", start: 1, sigma: 0.5) { x in
            x.indices.reduce(0) { $0 + pow(1e6, Double($1) / Double(x.count - 1)) * x[$1] * x[$1] }
        },
        Problem(name: "rosenbrock", start: 0, sigma: 0.2) { x in
            (1..<x.count).reduce(0) { sum, i in
                let valley = x[i] - x[i - 1] * x[i - 1]
                return sum + 100 * valley * valley + (1 - x[i - 1]) * (1 - x[i - 1])
            }
        },
        Problem(name: "rastrigin", start: 2.5, sigma: 2) { x in
            x.reduce(0) { $0 + 10 + $1 * $1 - 10 * cos(2 * .pi * $1) }
        },
    ]

    /// "1-200"; nil where a quick look is enough.
    static let seeds: ClosedRange<Int>? = ProcessInfo.processInfo.environment["PRIMED_SEEDS"].map {
        let ends = $0.split(separator: "-").compactMap { Int($0) }
        precondition(ends.count == 2 && ends[0] <= ends[1], "PRIMED_SEEDS is \($0); a range as 1-200 was expected")
        return ends[0]...ends[1]
    }
    static let dimensions: [Int] =
        ProcessInfo.processInfo.environment["PRIMED_DIMENSIONS"]?.split(separator: ",").compactMap { Int($0) }
        ?? (seeds == nil ? [3, 5] : [3, 5, 24, 96])

    static let chosen: [Problem] = {
        guard let names = ProcessInfo.processInfo.environment["PRIMED_PROBLEMS"]?.split(separator: ",") else {
            return problems
        }
        return problems.filter { problem in names.contains { $0 == problem.name } }
    }()

    @Test(arguments: chosen, dimensions)
    func evaluationsAreThoseOfPycma(_ problem: Problem, _ dimension: Int) throws {
        let peer = try JSONDecoder().decode(Peer.self, from: fixture("pycma-\(dimension).json"))
        let seeds = Self.seeds ?? 1...25
        let population = problem.name == "rastrigin" ? peer.rastrigin_population : nil
        let runs = seeds.map { seed in
            let run = evaluations(problem, dimension, population: population, seed: UInt64(seed), target: peer.target)
            if Self.seeds != nil {
                print("run", problem.name, dimension, seed, run.evaluations.map(String.init) ?? "- best \(run.best)")
                fflush(nil)
            }
            return run.evaluations
        }
        let theirs = try #require(peer.runs[problem.name])
        let hits = runs.compactMap(\.self)
        let theirHits = theirs.compactMap(\.self)
        if Self.seeds != nil, !hits.isEmpty {
            let ratio = Double(Int(median(hits) / median(theirHits) * 1000)) / 1000
            print(
                "| \(problem.name) | \(dimension) | \(Int(median(hits))) | \(hits.count)/\(runs.count) |",
                "\(Int(median(theirHits))) | \(theirHits.count)/\(theirs.count) | \(ratio) |")
        }
        // 25 medians spread more than 200.
        let tolerance = seeds.count < 100 ? 0.25 : 0.1
        #expect(abs(median(hits) / median(theirHits) - 1) < tolerance)
        // Success rates within three standard deviations of their difference.
        let rate = Double(hits.count) / Double(runs.count)
        let theirRate = Double(theirHits.count) / Double(theirs.count)
        let pooled = Double(hits.count + theirHits.count) / Double(runs.count + theirs.count)
        let deviation = (pooled * (1 - pooled) * (1 / Double(runs.count) + 1 / Double(theirs.count))).squareRoot()
        #expect(abs(rate - theirRate) <= 3 * deviation)
    }

    /// Evaluations up to and including the first point at the target; nil where the search converged before, to `best`.
    private func evaluations(
        _ problem: Problem, _ dimension: Int, population: Int?, seed: UInt64, target: Double
    ) -> (evaluations: Int?, best: Double) {
        var search = CMAES(
            start: Array(repeating: problem.start, count: dimension), sigma: problem.sigma, bounds: nil,
            population: population, seed: seed)
        var told = 0
        var best = Double.infinity
        while told < 10_000_000 {
            let points = search.ask()
            guard search.restarts == 0 else { break }
            let values = points.map(problem.value)
            best = min(best, values.min() ?? best)
            if let hit = values.firstIndex(where: { $0 <= target }) { return (told + hit + 1, best) }
            told += points.count
            search.tell(points, fitness: values.map { -$0 })
        }
        return (nil, best)
    }

    private func median(_ values: [Int]) -> Double {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return .nan }
        return Double(sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }
}
