import Compute

/// A random model of any shape with a bank, and what it means in double precision.
struct SmallModel {
    struct Layer {
        var attentionNorm: [Float]
        var feedForwardNorm: [Float]
        /// q, k, v, o, gate, up, down: [out, in]
        var weights: [[Float]]
        /// A [slots * rank, in] and B [out, slots * rank] of each, where the bank adapts it.
        var bank: [(a: [Float], b: [Float])?]
    }

    enum Module: Int, CaseIterable { case q, k, v, o, gate, up, down }

    let shape: ModelShape
    let slots = 2
    let rank: Int
    let embedding: [Float]
    let head: [Float]
    let finalNorm: [Float]
    var layers: [Layer]

    /// - Parameter bf16: whether the weights are numbers that bf16 has.
    init(_ shape: ModelShape, rank: Int = 3, bf16: Bool, seed: Int) {
        self.shape = shape
        self.rank = rank
        var numbers = Numbers(seed)
        func matrix(_ out: Int, _ width: Int, scale: Float = 2) -> [Float] {
            let values = numbers.array(out * width, scale: scale / Float(width).squareRoot())
            return bf16 ? values.map(truncated) : values
        }
        func norm() -> [Float] { numbers.array(shape.hidden, scale: 0.3).map { 1 + $0 } }
        embedding = matrix(shape.vocabulary, shape.hidden, scale: Float(shape.hidden).squareRoot())
        head = matrix(shape.vocabulary, shape.hidden)
        finalNorm = norm()
        layers = []
        for _ in 0..<shape.layers {
            var layer = Layer(attentionNorm: norm(), feedForwardNorm: norm(), weights: [], bank: [])
            for module in Module.allCases {
                let (out, width) = Self.size(module, shape)
                layer.weights.append(matrix(out, width))
                let pair = (a: matrix(slots * rank, width), b: matrix(out, slots * rank))
                // A module that no adapter touches.
                layer.bank.append(module == .k ? nil : pair)
            }
            layers.append(layer)
        }
    }

    static func size(_ module: Module, _ shape: ModelShape) -> (out: Int, width: Int) {
        let (queries, keys) = (shape.heads * shape.headDim, shape.kvHeads * shape.headDim)
        switch module {
        case .q: return (queries, shape.hidden)
        case .k, .v: return (keys, shape.hidden)
        case .o: return (shape.hidden, queries)
        case .gate, .up: return (shape.feedForward, shape.hidden)
        case .down: return (shape.hidden, shape.feedForward)
        }
    }

    var rotary: [Double] {
        (0..<shape.headDim / 2).map { exponential(-2 * Double($0) / Double(shape.headDim) * logarithm(10000)) }
    }

    // MARK: - In double precision

    private typealias Rows = [[Double]]

    /// The final norm of every position's residual stream.
    func hidden(_ tokens: [Int32], mixture: MixtureWeights, factors: Bool) -> [[Double]] {
        var x: Rows = tokens.map { token in
            embedding[Int(token) * shape.hidden..<(Int(token) + 1) * shape.hidden].map(Double.init)
        }
        for (number, layer) in layers.enumerated() {
            let weights = mixture.isBase ? nil : mixture.layers[number]
            func apply(_ module: Module, _ rows: Rows) -> Rows {
                linear(rows, module, layer, weights, factors: factors)
            }
            let normed = norm(x, layer.attentionNorm)
            let attended = attend(apply(.q, normed), apply(.k, normed), apply(.v, normed))
            x = add(x, apply(.o, attended))
            let second = norm(x, layer.feedForwardNorm)
            let (gate, up) = (apply(.gate, second), apply(.up, second))
            x = add(x, apply(.down, zip(gate, up).map { zip($0, $1).map { Reference.silu($0) * $1 } }))
        }
        return norm(x, finalNorm)
    }

    private func norm(_ rows: Rows, _ weight: [Float]) -> Rows {
        rows.map { row in
            let squares = row.reduce(0) { $0 + $1 * $1 } / Double(row.count)
            let scale = 1 / (squares + Double(shape.normEpsilon)).squareRoot()
            return zip(row, weight).map { $0 * scale * Double($1) }
        }
    }

    private func add(_ a: Rows, _ b: Rows) -> Rows { zip(a, b).map { zip($0, $1).map(+) } }

    private func product(_ rows: Rows, _ w: [Float], width: Int) -> Rows {
        let outs = w.count / width
        return rows.map { row in
            var y = [Double](repeating: 0, count: outs)
            row.withUnsafeBufferPointer { row in
                w.withUnsafeBufferPointer { w in
                    var (out, at) = (0, 0)
                    while out < outs {
                        var (sum, i) = (0.0, 0)
                        while i < width {
                            sum += row[i] * Double(w[at])
                            i &+= 1
                            at &+= 1
                        }
                        y[out] = sum
                        out &+= 1
                    }
                }
            }
            return y
        }
    }

    private func linear(_ rows: Rows, _ module: Module, _ layer: Layer, _ weights: [Float]?, factors: Bool) -> Rows {
        let width = Self.size(module, shape).width
        let y = product(rows, layer.weights[module.rawValue], width: width)
        guard let weights, let pair = layer.bank[module.rawValue] else { return y }
        let low = product(rows, pair.a, width: width).map { row in
            (0..<slots * rank).map { at in
                let own = Double(weights[at / rank])
                guard factors else { return own * row[at] }
                return own * (0..<slots).reduce(0) { $0 + Double(weights[$1]) * row[$1 * rank + at % rank] }
            }
        }
        return add(y, product(low, pair.b, width: slots * rank))
    }

    private func attend(_ q: Rows, _ k: Rows, _ v: Rows) -> Rows {
        let d = shape.headDim
        func rotated(_ row: [Double], _ head: Int, _ position: Int) -> [Double] {
            let part = Array(row[head * d..<(head + 1) * d])
            return (0..<d).map { i in
                let angle = Double(Float(position) * Float(rotary[i % (d / 2)]))
                let (low, high) = (part[i % (d / 2)], part[i % (d / 2) + d / 2])
                return i < d / 2
                    ? low * cosine(angle) - high * sine(angle) : high * cosine(angle) + low * sine(angle)
            }
        }
        let keys = k.indices.map { at in (0..<shape.kvHeads).map { rotated(k[at], $0, at) } }
        return q.indices.map { position in
            var line: [Double] = []
            for head in 0..<shape.heads {
                let shared = head / shape.group
                let query = rotated(q[position], head, position)
                var masses = (0...position).map { dot(query, keys[$0][shared]) / Double(d).squareRoot() }
                let top = masses.max() ?? 0
                for at in masses.indices { masses[at] = exponential(masses[at] - top) }
                let total = masses.reduce(0, +)
                var sum = [Double](repeating: 0, count: d)
                for at in 0...position {
                    for i in 0..<d { sum[i] += masses[at] / total * v[at][shared * d + i] }
                }
                line += sum
            }
            return line
        }
    }

    private func dot(_ a: [Double], _ b: [Double]) -> Double {
        var (sum, i) = (0.0, 0)
        while i < a.count {
            sum += a[i] * b[i]
            i &+= 1
        }
        return sum
    }

    /// The head's product with final states.
    func logits(_ hidden: [[Double]]) -> [[Double]] { product(hidden, head, width: shape.hidden) }
}
