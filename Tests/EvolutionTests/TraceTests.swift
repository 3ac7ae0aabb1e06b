import FoundationEssentials
import Testing

@testable import Evolution

/// Both searches against what nevergrad and pycma do with the same points and losses (Fixtures/traces.py).
@Suite struct TraceTests {
    struct Traces: Decodable {
        var traces: [Trace]
    }

    struct Trace: Decodable, CustomTestStringConvertible {
        var search: Search
        var loss: String
        var dimension: Int
        var generations: [Generation]

        var testDescription: String { "\(search.rawValue), \(loss), d = \(dimension)" }
    }

    struct Generation: Decodable {
        var points: [[Double]]
        var losses: [Double]
        var restarted: Bool
        var mean: [Double]
        var sigma: Double
        var scaling: [Double]
        var recommendation: [Double]
    }

    static let traces: [Trace] = try! JSONDecoder().decode(Traces.self, from: fixture("traces.json")).traces

    @Test(arguments: traces.filter { $0.search == .primeCMA })
    func primeCMADoesWhatNevergradDoes(_ trace: Trace) {
        var search = PrimeCMA(dimension: trace.dimension, bounds: -1.5...1.5, seed: 0)
        for (number, generation) in trace.generations.enumerated() {
            let restarts = search.restarts
            #expect(search.ask().count == generation.points.count)
            #expect((search.restarts > restarts) == generation.restarted, "generation \(number)")
            // One by one, as nevergrad is told.
            for (point, loss) in zip(generation.points, generation.losses) { search.tell([point], fitness: [-loss]) }
            #expect(distance(search.mean, generation.mean) < 1e-8, "generation \(number)")
            #expect(abs(search.sigma / generation.sigma - 1) < 1e-8, "generation \(number)")
            #expect(distance(search.scaling, generation.scaling) < 1e-8, "generation \(number)")
            #expect(distance(search.recommendation, generation.recommendation) < 1e-12, "generation \(number)")
        }
    }

    @Test(arguments: traces.filter { $0.search == .cmaES })
    func cmaESDoesWhatPycmaDoes(_ trace: Trace) {
        let start = [Double](repeating: 0, count: trace.dimension)
        var search = CMAES(start: start, sigma: 0.5, bounds: nil, seed: 0)
        for (number, generation) in trace.generations.enumerated() {
            #expect(search.ask().count == generation.points.count)
            search.tell(generation.points, fitness: generation.losses.map { -$0 })
            let deviations = (0..<trace.dimension).map { search.covariance[$0 * (trace.dimension + 1)].squareRoot() }
            #expect(distance(search.mean, generation.mean) < 1e-8, "generation \(number)")
            #expect(abs(search.sigma / generation.sigma - 1) < 1e-8, "generation \(number)")
            #expect(distance(deviations, generation.scaling) < 1e-8, "generation \(number)")
            #expect(distance(search.recommendation, generation.recommendation) < 1e-12, "generation \(number)")
        }
    }
}

func distance(_ a: [Double], _ b: [Double]) -> Double { length(zip(a, b).map { $0 - $1 }) }

func fixture(_ name: String) throws -> Data {
    try Data(contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/\(name)"))
}
