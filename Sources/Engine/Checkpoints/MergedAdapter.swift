/// How adapters are merged.
public enum Merge: String, Codable, Sendable, CaseIterable {
    /// The paper's Eq. 2: the weight gains sum_s w_s B_s A_s. Exact at rank sum r.
    case delta
    /// The authors' code: A = sum_s w_s A_s, B = sum_s w_s B_s at rank r, cross terms included.
    case factors
}

/// Adapters merged by weights, in float32: rounding the merge to the sharers' bf16 would ship another model than was
/// scored.
public struct MergedAdapter: Sendable {
    /// One pair of matrices; the scale is in them.
    public struct Pair: Sendable, Equatable {
        /// `[rank, in]`
        public var a: [Float]
        /// `[out, rank]`
        public var b: [Float]
    }

    public let merge: Merge
    /// At least 1, and the same for every module, short ones padded with zeros: consumers do not read rank_pattern.
    public let rank: Int
    /// One for every site of any of the adapters.
    public let pairs: [AdapterSite: Pair]
    let shapes: [AdapterSite: (out: Int, input: Int)]

    /// Merges `adapters` of one base.
    ///
    /// A weight of 0 leaves nothing of its sharer behind. In "delta" the factors are the merge's own singular vectors, so
    /// the file does not hold the sharers' factors side by side; its rank is that of the largest product. Where every
    /// weight is 0 the pairs are zeros of rank 1: the base.
    /// - Parameter weights: `[1][k]` for all layers, or `[layers][k]`.
    public init(
        _ adapters: [Adapter], weights: [[Float]], merge: Merge, config: LlamaConfig
    ) throws(CheckpointError) {
        precondition(weights.count == 1 || weights.count == config.layers, "one row of weights, or one a layer")
        precondition(weights.allSatisfy { $0.count == adapters.count }, "a weight for every adapter")
        let sites = Set(adapters.flatMap(\.pairs.keys)).sorted()
        var components: [AdapterSite: LowRankProduct.Components] = [:]
        for site in sites {
            let row = weights.count == 1 ? weights[0] : weights[site.layer]
            let parts = zip(adapters, row).compactMap { adapter, weight in
                weight == 0 ? nil : adapter.pairs[site].map { (pair: $0, weight: weight) }
            }
            let shape = config.shape(of: site.module)
            switch merge {
            case .delta:
                var product = LowRankProduct(input: shape.input, out: shape.out)
                for part in parts { product.add(part.pair, weight: part.weight) }
                do { components[site] = try product.components() } catch {
                    throw CheckpointError(merging: site, error)
                }
            case .factors: components[site] = Self.sum(parts, input: shape.input, out: shape.out)
            }
        }
        let rank = components.values.reduce(1) { max($0, $1.rank) }
        self.merge = merge
        self.rank = rank
        shapes = Dictionary(uniqueKeysWithValues: sites.map { ($0, config.shape(of: $0.module)) })
        pairs = Dictionary(
            uniqueKeysWithValues: sites.map { site in
                let shape = config.shape(of: site.module)
                return (site, Self.padded(components[site]!, rank, input: shape.input, out: shape.out))
            })
    }

    /// Both factors weighted, as the authors do; ranks may differ.
    private static func sum(
        _ parts: [(pair: LowRankPair, weight: Float)], input: Int, out: Int
    ) -> LowRankProduct.Components {
        let rank = parts.reduce(0) { max($0, $1.pair.rank) }
        var a = [Float](repeating: 0, count: rank * input)
        var b = [Float](repeating: 0, count: rank * out)
        for (pair, weight) in parts {
            for (index, value) in pair.a.floats().enumerated() { a[index] += weight * value }
            for (index, value) in pair.b.floats().enumerated() {
                b[index % pair.rank * out + index / pair.rank] += weight * pair.scale * value
            }
        }
        return LowRankProduct.Components(rank: rank, a: a, b: b)
    }

    private static func padded(_ thin: LowRankProduct.Components, _ rank: Int, input: Int, out: Int) -> Pair {
        var pair = Pair(
            a: thin.a + [Float](repeating: 0, count: (rank - thin.rank) * input),
            b: [Float](repeating: 0, count: out * rank))
        for component in 0..<thin.rank {
            for row in 0..<out { pair.b[row * rank + component] = thin.b[component * out + row] }
        }
        return pair
    }
}

extension CheckpointError {
    /// A merge that could not be factored.
    init(merging site: AdapterSite, _ error: LAPACKError) {
        let found = "LAPACK's \(error.routine) gives \(error.status) for the merge"
        self =
            error.lacksMemory
            ? CheckpointError(.unavailable, site.peftName, found: found, remedy: "free memory, or wait")
            : CheckpointError(.notFinite, site.peftName, found: found, remedy: "lower the weights' bound")
    }
}
