@testable import Compute
import StandIn
import Testing

/// Every operation of every backend against the same model in double precision.
@Suite("Backends do what their operations mean", .serialized)
struct ConformanceTests {
    enum Machine: String, CaseIterable, CustomTestStringConvertible {
        case cpu = "CPU"
        case cpuBF16 = "CPU, bf16 weights"
        case cuda = "stand-in, float32"
        case cudaBF16 = "stand-in, bf16"

        var testDescription: String { rawValue }
        var isBF16: Bool { self == .cpuBF16 || self == .cudaBF16 }
        /// Relative, of a layer; the CPU's sums are float32 whatever its weights.
        var tolerance: Double { self == .cudaBF16 ? 1e-2 : 1e-5 }
    }

    struct Case: CustomTestStringConvertible {
        let shape: ModelShape
        var testDescription: String {
            "hidden \(shape.hidden), \(shape.heads)/\(shape.kvHeads) heads of \(shape.headDim), \(shape.layers) layers"
        }

        init(_ hidden: Int, _ feedForward: Int, heads: Int, _ kvHeads: Int, of headDim: Int, layers: Int = 1) {
            shape = ModelShape(
                hidden: hidden, feedForward: feedForward, layers: layers, heads: heads, kvHeads: kvHeads,
                headDim: headDim, vocabulary: 61, normEpsilon: 1e-5)
        }
    }

    static let cases = [
        Case(21, 33, heads: 6, 2, of: 6, layers: 2), Case(64, 48, heads: 4, 1, of: 64),
        Case(40, 81, heads: 3, 3, of: 20, layers: 2), Case(48, 32, heads: 2, 1, of: 128),
        Case(32, 32, heads: 20, 1, of: 16), Case(28, 40, heads: 4, 2, of: 40),
    ]

    @Test(arguments: Machine.allCases, cases)
    func layers(_ machine: Machine, _ given: Case) throws {
        switch machine {
        case .cpu, .cpuBF16:
            try check(CPUBackend(threads: 2, keepBF16: machine.isBF16), machine, given)
        case .cuda, .cudaBF16:
            try check(
                StandIn.backend(.checked, isBF16: machine.isBF16), machine,
                given)
        }
    }

    /// Positions of a sequence that a step computes.
    private struct Part {
        let sequence: Int
        let positions: Range<Int>

        init(_ sequence: Int, _ positions: Range<Int>) {
            self.sequence = sequence
            self.positions = positions
        }
    }

    /// Sequences under several mixtures, in pieces, with a shared prefix, then one token each.
    private func check<B: Backend>(_ backend: B, _ machine: Machine, _ given: Case) throws {
        let model = SmallModel(given.shape, bf16: machine.isBF16, seed: given.shape.hidden)
        let loaded = try Loaded(model, backend)
        var numbers = Numbers(3)
        let lengths = [70, 9, 45, 41]
        let mixtures =
            [MixtureWeights(layers: [])]
            + (0..<2).map { _ in MixtureWeights(layers: (0..<given.shape.layers).map { _ in numbers.array(2) }) }
        var tokens = lengths.map { length in
            (0..<length).map { _ in Int32(abs(numbers.next()) * Float(given.shape.vocabulary - 1)) }
        }
        // The last one shares the third's first 37 tokens: a whole block, and a copy of a part of the next.
        tokens[3].replaceSubrange(0..<37, with: tokens[2][0..<37])
        let mixtureOf = [1, 0, 2, 2]
        let blocks: [[Int32]] = [[7, 1, 4], [3], [0, 6], [0, 5]]
        for factors in [false, true] {
            let expected = zip(tokens, mixtureOf).map {
                model.hidden($0, mixture: mixtures[$1], factors: factors)
            }
            // No more than the largest step has, so that a row too many leaves its buffer.
            try backend.reserve(rows: 95, positions: 80, shape: given.shape, rotary: model.rotary)
            try backend.setMixtures(
                mixtures, rows: [9, 70, 86], bank: loaded.bank,
                shape: BankShape(slots: model.slots, rank: model.rank, factors: factors), weights: loaded.layers)
            let cache = try backend.cache(blocks: 8, shape: given.shape)
            func rows(_ parts: [Part]) -> StepRows {
                var rows = StepRows()
                for part in parts {
                    rows.spans.append(
                        Span(
                            row: rows.tokens.count, count: part.positions.count, position: part.positions.lowerBound,
                            blocks: rows.blocks.count, mixture: mixtureOf[part.sequence]))
                    rows.tokens += tokens[part.sequence][part.positions]
                    rows.blocks += blocks[part.sequence]
                }
                return rows
            }
            func compare(_ parts: [Part], _ found: [[Float]]) {
                let wanted = parts.flatMap { expected[$0.sequence][$0.positions] }
                let error = relativeError(found.flatMap { $0 }, wanted.flatMap { $0 })
                #expect(error < machine.tolerance * Double(given.shape.layers), "factors \(factors), \(parts)")
            }
            let whole = [Part(0, 0..<50), Part(1, 0..<8), Part(2, 0..<37)]
            loaded.forward(rows(whole), cache: cache)
            compare(whole, try backend.hidden(rows: 95, norm: loaded.finalNorm))
            backend.copyBlock(cache, from: 6, to: 5)
            let rest = [Part(0, 50..<69), Part(2, 37..<44), Part(3, 37..<40)]
            loaded.forwardToLast(rows(rest), cache: cache)
            compare(
                rest.map { Part($0.sequence, $0.positions.suffix(1)) },
                try backend.hidden(rows: 3, norm: loaded.finalNorm))
            let last = [Part(1, 8..<9), Part(2, 44..<45), Part(0, 69..<70), Part(3, 40..<41)]
            loaded.forward(rows(last), cache: cache)
            compare(last, try backend.hidden(rows: 4, norm: loaded.finalNorm))
        }
    }

    /// Heads so large that a smaller card's thread blocks have no room for all that shares the keys.
    @Test func littleSharedMemory() throws {
        let given = Case(56, 32, heads: 3, 1, of: 192)
        for bytes in [99 << 10, 227 << 10] {
            let device = try StandIn.device(.checked)
            device.blockMemory = bytes
            let backend = try CUDABackend(device, isBF16: true, cacheFolder: "\(StandIn.folder(.checked))/kernels")
            try check(backend, .cudaBF16, given)
            #expect(backend.splits == (bytes > 99 << 10))
            try decode(backend, .cudaBF16, Case(24, 16, heads: 2, 1, of: 192).shape)
        }
    }

    @Test(arguments: Machine.allCases)
    func decoding(_ machine: Machine) throws {
        let shape = Case(24, 16, heads: 2, 1, of: 16).shape
        switch machine {
        case .cpu, .cpuBF16: try decode(CPUBackend(threads: 2, keepBF16: machine.isBF16), machine, shape)
        case .cuda, .cudaBF16: try decode(StandIn.backend(.checked, isBF16: machine.isBF16), machine, shape)
        }
    }

    /// A step that the driver does not record, as when cuBLAS refuses a product while it is recorded, runs call by call.
    @Test func decodingWithoutGraphs() throws {
        let backend = try StandIn.backend(.checked, isBF16: true)
        let device = backend.device
        try decode(backend, .cudaBF16, Case(24, 16, heads: 2, 1, of: 16).shape, isRecorded: false) {
            // A wait: the driver refuses it in a recording, and drops what was recorded.
            device.queue("cuStreamSynchronize") { $0.wait_stream(device.stream) }
        }
        #expect(backend.decodeRefusal?.place.hasPrefix("cuStreamSynchronize") == true)
        #expect(device.failure == nil)
    }

    /// Sequences continued by several tokens without a look are those that are looked at every time, with few rows and
    /// more, over the ends of blocks, and when a batch comes again.
    ///
    /// - Parameter beforehand: called before each step's rows go through the model.
    private func decode<B: Backend>(
        _ backend: B, _ machine: Machine, _ shape: ModelShape, isRecorded: Bool = true, beforehand: () -> Void = {}
    ) throws {
        let model = SmallModel(shape, bf16: machine.isBF16, seed: 5)
        let loaded = try Loaded(model, backend)
        var numbers = Numbers(6)
        let mixtures = [
            MixtureWeights(layers: []), MixtureWeights(layers: (0..<shape.layers).map { _ in numbers.array(2) }),
        ]
        try backend.reserve(rows: 104, positions: 80, shape: shape, rotary: model.rotary)
        try backend.setMixtures(
            mixtures, rows: [64, 64], bank: loaded.bank,
            shape: BankShape(slots: model.slots, rank: model.rank, factors: false), weights: loaded.layers)
        let cache = try backend.cache(blocks: 12, shape: shape)
        let lengths = [30, 5, 25, 1, 31, 12]
        var prompts = StepRows()
        for (index, length) in lengths.enumerated() {
            prompts.spans.append(
                Span(row: prompts.count, count: length, position: 0, blocks: 2 * index, mixture: index % 2))
            prompts.tokens += (0..<length).map { _ in Int32(abs(numbers.next()) * 60) }
            prompts.blocks += [Int32(11 - 2 * index), Int32(10 - 2 * index)]
        }
        loaded.forward(prompts, cache: cache)
        _ = try backend.hidden(rows: 1, norm: loaded.finalNorm)
        // Five rows go as six, one of them idle; cuBLAS promises equal bits for equal numbers of rows alone.
        let counts = StandIn.isReal ? [6, 1, 6] : [5, 1, 5]
        for (batch, count) in counts.enumerated() {
            var rows = StepRows(blocks: prompts.blocks)
            for index in 0..<count {
                rows.spans.append(
                    Span(row: index, count: 1, position: lengths[index], blocks: 2 * index, mixture: index % 2))
                rows.tokens.append(Int32(index + count))
            }
            func pick(_ row: Int, _ step: Int) -> Pick {
                guard row % 2 == 1 else { return .greedy }
                return .sample(temperature: 1, topP: 0.9, draw: Double((7 * step + row) % 11) / 11)
            }
            let picks = (0..<8).map { step in (0..<count).map { pick($0, step) } }
            func forward() {
                beforehand()
                backend.embed(table: loaded.embedding)
                for (number, weights) in loaded.layers.enumerated() {
                    backend.attentionInput(layer: number, weights: weights, projection: .all)
                    backend.attend(layer: number)
                    backend.layerOutput(layer: number, weights: weights)
                }
            }
            let wanted = try backend.decodeStepByStep(
                rows, cache: cache, picks: picks, norm: loaded.finalNorm, head: loaded.head, forward: forward)
            #expect(Set(wanted.flatMap { $0 }.map { "\($0)" }).count > 4)
            for steps in [8, 3] {
                let found = try backend.decode(
                    rows, cache: cache, picks: Array(picks.prefix(steps)), norm: loaded.finalNorm, head: loaded.head,
                    forward: forward)
                #expect(found == Array(wanted.prefix(steps)), "\(count) rows, \(steps) steps")
                // Recorded for the rows at hand and those before, and not again.
                if let cuda = backend as? CUDABackend {
                    #expect(cuda.graphs.count == (isRecorded ? Set(counts.prefix(batch + 1)).count : 0))
                }
            }
        }
    }

    @Test(arguments: Machine.allCases)
    func picks(_ machine: Machine) throws {
        let shape = Case(24, 16, heads: 2, 1, of: 16).shape
        var wide = shape
        wide.vocabulary = 1500
        switch machine {
        case .cpu, .cpuBF16: try pick(CPUBackend(threads: 2, keepBF16: machine.isBF16), machine, wide)
        case .cuda, .cudaBF16:
            try pick(
                StandIn.backend(.checked, isBF16: machine.isBF16), machine,
                wide)
        }
    }

    private func pick<B: Backend>(_ backend: B, _ machine: Machine, _ shape: ModelShape) throws {
        let model = SmallModel(shape, bf16: machine.isBF16, seed: 8)
        let loaded = try Loaded(model, backend)
        try backend.reserve(rows: 40, positions: 64, shape: shape, rotary: model.rotary)
        try backend.setMixtures(
            [MixtureWeights(layers: [])], rows: [64], bank: [], shape: nil, weights: loaded.layers)
        let cache = try backend.cache(blocks: 2, shape: shape)
        var numbers = Numbers(4)
        let tokens = (0..<40).map { _ in Int32(abs(numbers.next()) * 1400) }
        let rows = StepRows(
            tokens: tokens, spans: [Span(row: 0, count: 40, position: 0, blocks: 0, mixture: 0)], blocks: [1, 0])
        func picked(_ pick: (Int) -> Pick) throws -> [Picked] {
            loaded.forward(rows, cache: cache)
            return try backend.pick((0..<40).map(pick), norm: loaded.finalNorm, head: loaded.head)
        }
        let logits = try picked({ _ in .logits }).map { result -> [Float] in
            guard case .logits(let values) = result else { return [] }
            return values
        }
        let expected = model.logits(model.hidden(tokens, mixture: MixtureWeights(layers: []), factors: false))
        #expect(relativeError(logits.flatMap { $0 }, expected.flatMap { $0 }) < machine.tolerance)
        // What is chosen from logits is the same everywhere, whatever the logits are.
        func same(_ pick: (Int) -> Pick) throws {
            let found = try picked(pick)
            for row in 0..<40 {
                let wanted = logits[row].withUnsafeBufferPointer { CPUBackend.pick(pick(row), $0) }
                if case .logProbability(let value) = wanted, case .logProbability(let other) = found[row] {
                    #expect(abs(value - other) < 1e-6)
                } else {
                    #expect(found[row] == wanted, "row \(row)")
                }
            }
        }
        try same { _ in .greedy }
        try same { .logProbability(of: Int32($0 * 37)) }
        try same { .sample(temperature: 0.8, topP: 0.9, draw: (Double($0) + 0.5) / 40) }
        try same { .sample(temperature: 2, topP: 1, draw: (Double($0) + 0.5) / 40) }
        try same { _ in .sample(temperature: 1, topP: 0.01, draw: 0.99) }
        try same { .sample(temperature: 0, topP: 1, draw: Double($0) / 40) }
    }
}

/// Root mean square of the difference over that of the expected values.
private func relativeError(_ found: [Float], _ expected: [Double]) -> Double {
    precondition(found.count == expected.count)
    let off = zip(found, expected).reduce(0.0) { $0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1) }
    return (off / expected.reduce(0.0) { $0 + $1 * $1 }).squareRoot()
}
