import Testing

@testable import Evolution

/// What full-covariance CMA-ES makes of points that are alike in fitness, which accuracy is full of.
@Suite struct TieTests {
    private func search() -> CMAES {
        var search = CMAES(start: [0, 0, 0, 0], sigma: 0.5, bounds: nil, seed: 3)
        // Away from its start, where the covariance has a shape.
        for _ in 0..<4 {
            let points = search.ask()
            search.tell(points, fitness: points.map { -length($0) - 9 * $0[1] * $0[1] })
        }
        return search
    }

    /// Which of the tied points comes first says nothing.
    @Test(arguments: [[2.0, 1, 1, 1, 0, 0, -1, -1], [1, 1, 0, 0, 0, 0, 0, 0], [3, 2, 1, 0, -1, -1, -1, -1]])
    func tiedPointsAreAlike(_ fitness: [Double]) {
        var one = search()
        var other = one
        let points = one.ask()
        #expect(points.count == 8 && other.ask() == points)
        var permuted = points
        // Within each run of equal fitness, from the last to the first.
        for value in Set(fitness) {
            let tied = fitness.indices.filter { fitness[$0] == value }
            for (place, from) in zip(tied, tied.reversed()) { permuted[place] = points[from] }
        }
        #expect(permuted != points)
        one.tell(points, fitness: fitness)
        other.tell(permuted, fitness: fitness)
        #expect(distance(one.mean, other.mean) < 1e-14)
        #expect(abs(one.sigma / other.sigma - 1) < 1e-14)
        #expect(distance(one.covariance, other.covariance) < 1e-14)
    }

    @Test(arguments: [0.25, -.infinity, .nan])
    func aFlatGenerationChangesTheStepAlone(_ value: Double) {
        var search = search()
        let (mean, sigma, covariance) = (search.mean, search.sigma, search.covariance)
        search.tell(search.ask(), fitness: Array(repeating: value, count: search.population))
        #expect(search.mean == mean && search.covariance == covariance)
        #expect(search.sigma > sigma)
    }

    /// One bad point says where not to go, and nothing of where to go.
    @Test func theMeanStaysWhereAllButOneTieForBest() {
        var search = search()
        let (mean, sigma) = (search.mean, search.sigma)
        search.tell(search.ask(), fitness: Array(repeating: 1, count: search.population - 1) + [0])
        #expect(search.mean == mean)
        #expect(search.sigma < sigma)
    }
}
