import Compute

/// A small model on a backend, driven as the engine drives it.
struct Loaded<B: Backend> {
    let model: SmallModel
    let backend: B
    let embedding: B.Matrix
    let head: B.Matrix
    let finalNorm: B.Vector
    let layers: [LayerWeights<B>]
    let bank: [BankLayer<B.Matrix>]

    init(_ model: SmallModel, _ backend: B) throws {
        self.model = model
        self.backend = backend
        let shape = model.shape
        func matrix(_ parts: [[Float]], width: Int) throws -> B.Matrix {
            try withParts(parts.map { ($0, width) }) { try backend.matrix($0, width: width) }
        }
        embedding = try matrix([model.embedding], width: shape.hidden)
        head = try matrix([model.head], width: shape.hidden)
        finalNorm = try backend.vector(model.finalNorm)
        layers = try model.layers.map { layer in
            func weights(_ module: SmallModel.Module) -> [Float] { layer.weights[module.rawValue] }
            return LayerWeights(
                attentionNorm: try backend.vector(layer.attentionNorm),
                qkv: try matrix([weights(.q), weights(.k), weights(.v)], width: shape.hidden),
                o: try matrix([weights(.o)], width: shape.heads * shape.headDim),
                feedForwardNorm: try backend.vector(layer.feedForwardNorm),
                gateUp: try withParts([(weights(.gate), shape.hidden), (weights(.up), shape.hidden)]) {
                    try backend.gatedMatrix(gate: $0[0], up: $0[1], rows: shape.feedForward, width: shape.hidden)
                },
                down: try matrix([weights(.down)], width: shape.feedForward))
        }
        let stacked = model.slots * model.rank
        bank = try model.layers.map { layer in
            func group(_ modules: [SmallModel.Module]) throws -> BankGroup<B.Matrix>? {
                let present = modules.enumerated().compactMap { part, module in
                    layer.bank[module.rawValue].map { (part, module, $0) }
                }
                let width = SmallModel.size(modules[0], shape).width
                return BankGroup(
                    a: try matrix([present.flatMap { $0.2.a }], width: width),
                    outputs: try present.map { part, module, pair in
                        guard modules.contains(.gate) else { return (part, try matrix([pair.b], width: stacked)) }
                        return (
                            part,
                            try withParts([(pair.b, stacked)]) {
                                try backend.gatedMatrix(
                                    gate: module == .gate ? $0[0] : nil, up: module == .up ? $0[0] : nil,
                                    rows: shape.feedForward, width: stacked)
                            }
                        )
                    })
            }
            var groups = BankLayer<B.Matrix>()
            groups.qkv = try group([.q, .k, .v])
            groups.o = try group([.o])
            groups.gateUp = try group([.gate, .up])
            groups.down = try group([.down])
            return groups
        }
    }

    /// All layers on the rows; x holds what comes out.
    func forward(_ rows: StepRows, cache: B.Cache) {
        backend.begin(rows, cache: cache)
        backend.embed(table: embedding)
        for (number, weights) in layers.enumerated() {
            backend.attentionInput(layer: number, weights: weights, projection: .all)
            backend.attend(layer: number)
            backend.layerOutput(layer: number, weights: weights)
        }
    }

    /// The same, but past the last layer's keys and values only the last row of each span goes on.
    func forwardToLast(_ rows: StepRows, cache: B.Cache) {
        backend.begin(rows, cache: cache)
        backend.embed(table: embedding)
        for (number, weights) in layers.enumerated() {
            if number == layers.count - 1 {
                backend.attentionInput(layer: number, weights: weights, projection: .keysValues)
                backend.gather(rows.spans.map { $0.row + $0.count - 1 })
                let kept = rows.spans.enumerated().map { row, span in
                    Span(
                        row: row, count: 1, position: span.position + span.count - 1, blocks: span.blocks,
                        mixture: span.mixture)
                }
                backend.begin(StepRows(spans: kept, blocks: rows.blocks), cache: cache)
                backend.attentionInput(layer: number, weights: weights, projection: .queries)
            } else {
                backend.attentionInput(layer: number, weights: weights, projection: .all)
            }
            backend.attend(layer: number)
            backend.layerOutput(layer: number, weights: weights)
        }
    }
}

/// Hands float32 numbers to `body` as stored weights.
private func withParts<T>(_ arrays: [([Float], width: Int)], _ body: ([MatrixPart]) throws -> T) throws -> T {
    let copies = arrays.map { array, _ in
        let copy = UnsafeMutableBufferPointer<Float>.allocate(capacity: max(1, array.count))
        _ = copy.initialize(from: array)
        return copy
    }
    defer { for copy in copies { copy.deallocate() } }
    return try body(
        zip(copies, arrays).map { copy, array in
            MatrixPart(
                bytes: UnsafeRawBufferPointer(copy), isBF16: false, rows: array.0.count / array.width)
        })
}
