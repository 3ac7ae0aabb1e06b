import Checkpoints
import Compute

/// Adapters of one base, stacked per module; each takes `rank` places, shorter ones padded with zeros.
struct Bank<B: Backend> {
    let slots: Int
    let rank: Int
    var layers: [BankLayer<B.Matrix>] = []
    private(set) var byteCount = 0

    init(_ adapters: [Adapter], config: LlamaConfig, backend: B) throws(LlamaError) {
        slots = adapters.count
        rank = adapters.map(\.rank).max() ?? 0
        guard 3 * slots * rank <= 4096 else {
            throw LlamaError(
                .memory, "bank", found: "\(slots) adapters of rank \(rank)",
                remedy: "a bank holds up to \(4096 / 3 / max(1, rank)) adapters of that rank")
        }
        do {
            for layer in 0..<config.layers {
                var bank = BankLayer<B.Matrix>()
                bank.qkv = try group([.q, .k, .v], layer, adapters, config, backend)
                bank.o = try group([.o], layer, adapters, config, backend)
                bank.gateUp = try group([.gate, .up], layer, adapters, config, backend)
                bank.down = try group([.down], layer, adapters, config, backend)
                layers.append(bank)
            }
        } catch {
            throw LlamaError(error)
        }
    }

    private mutating func group(
        _ modules: [LinearModule], _ layer: Int, _ adapters: [Adapter], _ config: LlamaConfig, _ backend: B
    ) throws(ComputeError) -> BankGroup<B.Matrix>? {
        let present = modules.enumerated().filter { _, module in
            adapters.contains { $0.pairs[AdapterSite(layer: layer, module: module)] != nil }
        }
        guard !present.isEmpty else { return nil }
        let stacked = slots * rank
        let input = config.shape(of: modules[0]).input
        var a = [Float](repeating: 0, count: present.count * stacked * input)  // [modules * slots * rank, in]
        var outputs: [(part: Int, b: B.Matrix)] = []
        for (place, (part, module)) in present.enumerated() {
            let out = config.shape(of: module).out
            var b = [Float](repeating: 0, count: out * stacked)  // [out, slots * rank]
            for (slot, adapter) in adapters.enumerated() {
                guard let pair = adapter.pairs[AdapterSite(layer: layer, module: module)] else { continue }
                let (low, high) = (pair.a.floats(), pair.b.floats())
                let start = (place * stacked + slot * rank) * input
                a.replaceSubrange(start..<(start + low.count), with: low)
                for row in 0..<out {
                    for column in 0..<pair.rank {
                        b[row * stacked + slot * rank + column] = pair.scale * high[row * pair.rank + column]
                    }
                }
            }
            let isGated = modules == [.gate, .up]
            outputs.append(
                (
                    part,
                    try matrix(b) { b throws(ComputeError) in
                        let b = MatrixPart(bytes: b, isBF16: false, rows: out)
                        return isGated
                            ? try backend.gatedMatrix(
                                gate: part == 0 ? b : nil, up: part == 0 ? nil : b, rows: out, width: stacked)
                            : try backend.matrix([b], width: stacked)
                    }
                ))
        }
        let columns = present.count * stacked
        return BankGroup(
            a: try matrix(a) { a throws(ComputeError) in
                try backend.matrix([MatrixPart(bytes: a, isBF16: false, rows: columns)], width: input)
            },
            outputs: outputs)
    }

    private mutating func matrix(
        _ values: [Float], _ pack: (UnsafeRawBufferPointer) throws(ComputeError) -> B.Matrix
    ) throws(ComputeError) -> B.Matrix {
        byteCount += 4 * values.count
        return try values.withUnsafeBytes { bytes in
            Result { () throws(ComputeError) in try pack(bytes) }
        }.get()
    }

    /// The mixture's weights a layer, as the backend takes them.
    func weights(_ mixture: Mixture, layers: Int, place: String) throws(LlamaError) -> MixtureWeights {
        guard mixture.weights.allSatisfy(\.isFinite) else {
            throw LlamaError(.mixture, place, found: "NaN or infinity", remedy: "give finite weights")
        }
        if mixture.isBase { return MixtureWeights(layers: []) }
        switch mixture.weights.count {
        case slots:
            return MixtureWeights(layers: Array(repeating: mixture.weights, count: layers))
        case slots * layers:
            return MixtureWeights(
                layers: (0..<layers).map { Array(mixture.weights[($0 * slots)..<(($0 + 1) * slots)]) })
        case let count:
            throw LlamaError(
                .mixture, place, found: "\(count) weights",
                remedy:
                    "the bank has \(slots) adapters: give \(slots) weights, or \(slots * layers) for \(layers) layers")
        }
    }
}
