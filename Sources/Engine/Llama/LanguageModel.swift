import Checkpoints
import Compute

/// Weights over a bank's adapters: a model as a small vector.
public struct Mixture: Hashable, Sendable {
    /// Empty for the base, `[k]` for one weight an adapter, `[layers * k]` for one an adapter and layer, layer outermost.
    public var weights: [Float]

    public init(weights: [Float]) { self.weights = weights }

    /// The model without adapters.
    public static let base = Mixture(weights: [])

    /// One adapter of `count` alone, at weight 1.
    public static func only(_ adapter: Int, of count: Int) -> Mixture {
        Mixture(weights: (0..<count).map { $0 == adapter ? 1 : 0 })
    }

    var isBase: Bool { weights.allSatisfy { $0 == 0 } }
}

/// How the next token is chosen.
public enum Sampling: Hashable, Sendable {
    case greedy
    /// The draws follow from the seed and the token's place alone, whatever else is in the batch.
    case seeded(temperature: Float, topP: Float, seed: UInt64)
}

/// One sequence to be continued.
public struct Request: Sendable {
    /// Token ids, BOS included.
    public var prompt: [Int32]
    /// Index into the call's mixtures.
    public var mixture: Int
    /// Tokens whose log-likelihood after the prompt is wanted.
    public var answer: [Int32]?
    /// 0 asks for the answer's likelihood alone.
    public var maxNewTokens: Int
    public var sampling: Sampling

    public init(
        prompt: [Int32], mixture: Int = 0, answer: [Int32]? = nil, maxNewTokens: Int = 100,
        sampling: Sampling = .greedy
    ) {
        self.prompt = prompt
        self.mixture = mixture
        self.answer = answer
        self.maxNewTokens = maxNewTokens
        self.sampling = sampling
    }
}

/// What came of a request.
public struct Completion: Sendable, Equatable {
    /// New tokens, the one that ended the sequence left out.
    public var tokens: [Int32] = []
    /// Whether the model ended the sequence itself.
    public var ended = false
    /// Summed natural log-likelihood of the request's answer.
    public var logprob: Double?
}

/// How far a call is.
public struct Progress: Sendable, Equatable {
    /// Sequences: equal requests share one, an answer has its own, and so has a beginning that several share.
    public var finished: Int
    public var total: Int
}

/// Bounds on the engine's appetite.
public struct EngineOptions: Sendable, Equatable {
    public var device = Device.cpu
    /// Of the CPU.
    public var threads = 2
    /// Rows of a step.
    public var tokenBudget = 2048
    /// Bytes of keys and values on the CPU; on a GPU they get what is left.
    public var cacheBytes = 1 << 30
    /// Weights that take up to this many bytes as float32 are widened once, which makes a job an eighth faster; larger
    /// ones stay bf16 in memory.
    public var widenedBytes = 64 << 20

    /// The folder that CUDA's libraries are looked for in first.
    public var cudaLibraries: String?
    /// Bytes of a GPU's memory that are taken; nil for nine tenths of the card.
    public var deviceBytes: Int?
    /// Where compiled kernels are kept.
    public var kernelCache: String?

    public init() {}
}

/// What the engine did and holds.
public struct EngineStatistics: Sendable, Equatable {
    /// Floating-point operations in the model's products, and the seconds they took summed over the threads.
    public var productOperations = 0.0
    public var productThreadSeconds = 0.0
    /// Of the products' operands and results, each once a product.
    public var productBytes = 0.0
    /// Copied between the host and its device.
    public var copiedBytes = 0
    /// Given ones, counted where a step took more than one of a sequence.
    public var prefillTokens = 0
    /// Chosen, those that end sequences included; for equal requests once.
    public var decodedTokens = 0
    /// Passes through all layers.
    public var steps = 0
    /// Why decoding runs call by call, and so slower than it could; nil where it does not.
    public var decodeRefusal: String?
    /// Of the model as its files store it, however it is held.
    public var weightBytes = 0
    /// Of the bank as float32, however it is held.
    public var bankBytes = 0
    /// Bytes of keys and values at their highest.
    public var cacheBytes = 0
    /// Of all else that the backend holds for its rows.
    public var scratchBytes = 0

    public init() {}
}

/// A Llama with a bank of adapters, on whatever backend.
public protocol LanguageModel: AnyObject {
    var config: LlamaConfig { get }
    /// Replaces the bank.
    func load(bank adapters: [Adapter]) throws(LlamaError)
    /// Refuses a prompt that could never be continued: longer than the model's positions, or than the cache can hold.
    func admit(_ prompt: [Int32], maxNewTokens: Int) throws(LlamaError)
    /// Continues every request, all in one batch; equal requests are computed once.
    ///
    /// - Parameter progress: told after each step; it may not call the model.
    func generate(
        _ requests: [Request], mixtures: [Mixture], merge: Merge, progress: ((Progress) -> Void)?
    ) throws(LlamaError) -> [Completion]
    /// Logits after every token, `[tokens][vocabulary]`.
    func logits(_ tokens: [Int32], mixture: Mixture, merge: Merge) throws(LlamaError) -> [[Float]]
    /// Mean over each sequence's tokens of the last hidden state after the final norm, `[sequences][hidden]`.
    func embed(_ sequences: [[Int32]]) throws(LlamaError) -> [[Float]]
    /// Names the arithmetic: on equal models equal calls give equal bits where this is equal, and where it is not, what was
    /// computed there need not be what would be computed here.
    ///
    /// On the CPU the instruction set and how weights are held; on a GPU the number format, the card with its memory, the
    /// libraries' versions and the token budget.
    var arithmetic: String { get }
    /// Counted since the model was loaded.
    var statistics: EngineStatistics { get }
    /// Floating-point operations a second of the machine's own library in one large product.
    func largeProductRate() throws(LlamaError) -> Double
    /// Whether the statistics' seconds in products are kept, which costs a GPU a little time.
    var measuresProducts: Bool { get set }
}
