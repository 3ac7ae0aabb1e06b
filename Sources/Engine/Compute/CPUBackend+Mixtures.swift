import CKernels

/// A mixture as the coming steps use it.
struct ActiveMixture {
    var weights: MixtureWeights
    /// The attention's weights with the mixture folded in, a layer each; nil where rows go through the bank.
    var folded: [FoldedLayer]?

    var isBase: Bool { weights.isBase }
    var needsBank: Bool { folded == nil && !weights.isBase }
}

/// A layer's attention weights with a mixture's low-rank product added.
final class FoldedLayer: @unchecked Sendable {
    let qkv: PackedMatrix
    let o: PackedMatrix

    init(_ weights: LayerWeights<CPUBackend>) {
        qkv = PackedMatrix(copy: weights.qkv)
        o = PackedMatrix(copy: weights.o)
    }

    var bytes: Int { qkv.byteCount + o.byteCount }
}

extension CPUBackend {
    /// Memory that folded copies may take.
    static let foldedBytes = 64 << 20

    public func setMixtures(
        _ mixtures: [MixtureWeights], rows: [Int], bank: [BankLayer<PackedMatrix>], shape: BankShape?,
        weights: [LayerWeights<CPUBackend>]
    ) {
        self.bank = bank
        bankShape = shape
        self.mixtures = mixtures.map { ActiveMixture(weights: $0) }
        guard let shape, let layer = weights.first, !layer.qkv.isBF16, !layer.o.isBF16 else { return }
        // Folding costs in * out * rank once; the bank costs (in + out) * rank a row.
        let enough = 4 * layer.o.width * layer.o.columns / (layer.o.width + layer.o.columns)
        let room = Self.foldedBytes / max(1, weights.count * (layer.qkv.byteCount + layer.o.byteCount))
        let chosen = mixtures.indices.filter { !mixtures[$0].isBase && rows[$0] >= enough }.prefix(room)
        while foldedLayers.count < chosen.count { foldedLayers.append(weights.map(FoldedLayer.init)) }
        for (copy, mixture) in zip(foldedLayers, chosen) { self.mixtures[mixture].folded = copy }
        pool.run(chosen.count * weights.count) { index, lane in
            let layer = index % weights.count
            let copy = self.foldedLayers[index / weights.count][layer]
            let row = mixtures[chosen[index / weights.count]].layers[layer]
            copy.qkv.restore(from: weights[layer].qkv)
            copy.o.restore(from: weights[layer].o)
            if let group = bank[layer].qkv { Self.fold(group, shape, row, into: copy.qkv, self.lanes[lane]) }
            if let group = bank[layer].o { Self.fold(group, shape, row, into: copy.o, self.lanes[lane]) }
        }
    }

    /// Adds sum_s w_s B_s A_s (or the factors' product) to packed weights: a product whose rows are the input's
    /// columns, panel by panel.
    private static func fold(
        _ group: BankGroup<PackedMatrix>, _ shape: BankShape, _ weights: [Float], into matrix: PackedMatrix,
        _ lane: Lane
    ) {
        let ld = group.a.columns
        let stacked = shape.slots * shape.rank
        var mixed = group.a.byInput()  // [in, modules * slots * rank]
        mixed.withUnsafeMutableBufferPointer { mixed in
            let a = mixed.baseAddress!
            for row in 0..<matrix.width {
                pk_mix(
                    a + row * ld, Int64(group.outputs.count), Int64(shape.slots), Int64(shape.rank), weights,
                    shape.factors)
            }
            let panels = matrix.panels.assumingMemoryBound(to: Float.self)
            for (module, output) in group.outputs.enumerated() {
                for first in stride(from: 0, to: output.b.columns, by: 32) {
                    lane.product(
                        a + module * stacked, ld, rows: matrix.width, output.b, first: first,
                        last: min(first + 32, output.b.columns),
                        into: panels + (matrix.starts[output.part] + first) * matrix.width, 32, accumulate: true)
                }
            }
        }
    }
}
