import Checkpoints
import Compute

/// A Llama model on a backend.
public final class Llama<B: Backend>: LanguageModel {
    public let config: LlamaConfig
    let backend: B
    public let options: EngineOptions
    /// Rows of a step: the configured ones, or a quarter where the call under way does not fit into a device's memory with all
    /// of them. No call changes it for the next: equal calls on an equal bank give equal bits.
    private(set) var tokenBudget: Int
    let shape: ModelShape
    let embedding: B.Matrix
    let head: B.Matrix
    let layers: [LayerWeights<B>]
    let finalNorm: B.Vector
    var bank: Bank<B>?
    /// The cache of the calls so far; it grows when a call needs more.
    var cache: (blocks: Int, storage: B.Cache)?
    var totals = EngineStatistics()

    /// Hands the folder's weights to `backend`.
    public init(_ folder: ModelFolder, backend: B, options: EngineOptions) throws(LlamaError) {
        config = folder.config
        self.backend = backend
        self.options = options
        tokenBudget = options.tokenBudget
        let config = folder.config
        shape = ModelShape(
            hidden: config.hiddenSize, feedForward: config.intermediateSize, layers: config.layers,
            heads: config.heads, kvHeads: config.kvHeads, headDim: config.headDim, vocabulary: config.vocabulary,
            normEpsilon: config.normEpsilon)
        func matrix(_ tensors: [StoredTensor], width: Int) throws(ComputeError) -> B.Matrix {
            try Self.withParts(tensors) { parts throws(ComputeError) in try backend.matrix(parts, width: width) }
        }
        do {
            embedding = try matrix([folder.embedding], width: config.hiddenSize)
            head =
                folder.head.name == folder.embedding.name
                ? embedding : try matrix([folder.head], width: config.hiddenSize)
            finalNorm = try backend.vector(folder.finalNorm.floats())
            var layers: [LayerWeights<B>] = []
            for layer in 0..<config.layers {
                func joined(_ modules: [LinearModule]) throws(ComputeError) -> B.Matrix {
                    try matrix(modules.map { folder.linear(layer, $0) }, width: config.shape(of: modules[0]).input)
                }
                let gated = [folder.linear(layer, .gate), folder.linear(layer, .up)]
                let gateUp = try Self.withParts(gated) { parts throws(ComputeError) in
                    try backend.gatedMatrix(
                        gate: parts[0], up: parts[1], rows: config.intermediateSize, width: config.hiddenSize)
                }
                layers.append(
                    LayerWeights(
                        attentionNorm: try backend.vector(folder.attentionNorm(layer).floats()),
                        qkv: try joined([.q, .k, .v]), o: try joined([.o]),
                        feedForwardNorm: try backend.vector(folder.feedForwardNorm(layer).floats()), gateUp: gateUp,
                        down: try joined([.down])))
            }
            self.layers = layers
        } catch {
            throw LlamaError(error)
        }
        totals.weightBytes = folder.byteCount
    }

    /// Hands tensors to `body` as parts of one matrix; f16 is widened, since no backend multiplies it, and a GPU's rounds what
    /// it gets to bf16 where that is what it multiplies.
    private static func withParts(
        _ tensors: [StoredTensor], _ body: ([MatrixPart]) throws(ComputeError) -> B.Matrix
    ) throws(ComputeError) -> B.Matrix {
        var widened: [UnsafeMutableBufferPointer<Float>] = []
        defer {
            for buffer in widened { buffer.deallocate() }
            // The backend has its own copy; the file's pages would count twice.
            for tensor in tensors { tensor.releasePages() }
        }
        let parts = tensors.map { tensor in
            guard tensor.type == .f16 else {
                return MatrixPart(bytes: tensor.bytes, isBF16: tensor.type == .bf16, rows: tensor.shape[0])
            }
            let floats = UnsafeMutableBufferPointer<Float>.allocate(capacity: tensor.count)
            tensor.copy(to: floats)
            widened.append(floats)
            return MatrixPart(bytes: UnsafeRawBufferPointer(floats), isBF16: false, rows: tensor.shape[0])
        }
        return try body(parts)
    }

    public func load(bank adapters: [Adapter]) throws(LlamaError) {
        bank = nil
        makeRoom()
        backend.letGo()
        bank = adapters.isEmpty ? nil : try Bank(adapters, config: config, backend: backend)
        totals.bankBytes = bank?.byteCount ?? 0
    }

    /// Lets the cache go where it would be in the way of what is taken next; nothing is in it between two calls.
    func makeRoom() {
        if backend.room != nil { cache = nil }
    }

    public var arithmetic: String { backend.arithmetic(tokenBudget: options.tokenBudget) }

    public var statistics: EngineStatistics {
        var statistics = totals
        statistics.productOperations = backend.products.operations
        statistics.productThreadSeconds = backend.products.threadSeconds
        statistics.productBytes = backend.products.bytes
        statistics.copiedBytes = backend.copiedBytes
        statistics.scratchBytes = backend.scratchBytes
        statistics.decodeRefusal = backend.decodeRefusal?.description
        return statistics
    }

    /// Calls `body`, and where a device's memory is too small for the configured steps once more with a quarter of their rows,
    /// which stays so for the rest of the call.
    func withFittingSteps<Value>(_ body: () throws(LlamaError) -> Value) throws(LlamaError) -> Value {
        tokenBudget = options.tokenBudget
        do { return try body() } catch {
            guard error.code == .memory, backend.room != nil else { throw error }
            tokenBudget = max(32, tokenBudget / 4)
            backend.letGo()
            return try body()
        }
    }

    public func largeProductRate() throws(LlamaError) -> Double {
        try onDevice { () throws(ComputeError) in try backend.largeProductRate() }
    }

    public var measuresProducts: Bool {
        get { backend.measuresProducts }
        set { backend.measuresProducts = newValue }
    }

    public func generate(
        _ requests: [Request], mixtures: [Mixture], merge: Merge, progress: ((Progress) -> Void)?
    ) throws(LlamaError) -> [Completion] {
        for (index, request) in requests.enumerated() { try check(request, index, mixtures: mixtures.count) }
        // Equal mixtures are one; a mixture of zeros is the base.
        var distinct: [Mixture] = []
        var mixtureOf: [Int] = []
        for mixture in mixtures {
            let mixture = mixture.isBase ? .base : mixture
            if let index = distinct.firstIndex(of: mixture) {
                mixtureOf.append(index)
            } else {
                mixtureOf.append(distinct.count)
                distinct.append(mixture)
            }
        }
        var run = Run(self, Plan(requests, mixtureOf: mixtureOf))
        try run.go(distinct, merge: merge, progress: progress)
        let plan = run.plan
        return requests.indices.map { index in
            var completion = Completion()
            if let sequence = plan.generating[index].map({ plan.sequences[$0] }) {
                completion.tokens = Array(sequence.generated)
                completion.ended = sequence.ended
            }
            completion.logprob = plan.scoring[index].map { plan.sequences[$0].logprob }
            return completion
        }
    }

    public func admit(_ prompt: [Int32], maxNewTokens: Int) throws(LlamaError) {
        let request = Request(prompt: prompt, maxNewTokens: maxNewTokens)
        try check(request, 0, mixtures: 1)
        var run = Run(self, Plan([request], mixtureOf: [0]))
        defer { backend.end() }
        try run.prepare([.base], merge: .delta)
    }

    private func check(_ request: Request, _ index: Int, mixtures: Int) throws(LlamaError) {
        let place = "request \(index + 1)"
        guard (0..<mixtures).contains(request.mixture) else {
            throw LlamaError(
                .mixture, place, found: "mixture \(request.mixture)", remedy: "the call has \(mixtures) mixtures")
        }
        try check(request.prompt + (request.answer ?? []), place)
        guard !request.prompt.isEmpty, request.maxNewTokens >= 0 else {
            throw LlamaError(
                .badPrompt, place, found: "an empty prompt or a negative number of new tokens",
                remedy: "a prompt has at least BOS")
        }
    }

    private func check(_ tokens: [Int32], _ place: String) throws(LlamaError) {
        guard !tokens.isEmpty else {
            throw LlamaError(.badPrompt, place, found: "no tokens", remedy: "a prompt has at least BOS")
        }
        guard tokens.count <= config.maxPositions else {
            throw LlamaError(
                .tooLong, place, found: "\(tokens.count) tokens",
                remedy: "the model has \(config.maxPositions) positions; shorten the text")
        }
        guard tokens.allSatisfy({ (0..<config.vocabulary).contains(Int($0)) }) else {
            throw LlamaError(
                .badPrompt, place, found: "a token id outside the vocabulary",
                remedy: "the tokenizer belongs to another model; ids lie in 0..<\(config.vocabulary)")
        }
    }

    public func logits(_ tokens: [Int32], mixture: Mixture, merge: Merge) throws(LlamaError) -> [[Float]] {
        try check(tokens, "tokens")
        var run = Run(
            self, Plan([Sequence(purpose: .logits, mixture: 0, tokens: tokens, promptCount: tokens.count)]))
        try run.go([mixture], merge: merge, progress: nil)
        return run.plan.sequences[0].logits
    }

    public func embed(_ sequences: [[Int32]]) throws(LlamaError) -> [[Float]] {
        for (index, tokens) in sequences.enumerated() { try check(tokens, "sequence \(index + 1)") }
        var run = Run(
            self,
            Plan(sequences.map { Sequence(purpose: .embed, mixture: 0, tokens: $0, promptCount: $0.count) }))
        try run.go([.base], merge: .delta, progress: nil)
        return run.plan.sequences.map { sequence in
            sequence.hidden.map { Float($0 / Double(sequence.tokens.count)) }
        }
    }
}
