/// The sizes that every operation needs.
public struct ModelShape: Sendable, Equatable {
    /// Numbers in a row of the residual stream.
    public var hidden: Int
    /// Outputs of gate and of up.
    public var feedForward: Int
    public var layers: Int
    /// Of the queries; `kvHeads` divides it.
    public var heads: Int
    public var kvHeads: Int
    /// Numbers in a head, an even count.
    public var headDim: Int
    public var vocabulary: Int
    /// Added to the mean square under RMSNorm's root.
    public var normEpsilon: Float

    public init(
        hidden: Int, feedForward: Int, layers: Int, heads: Int, kvHeads: Int, headDim: Int, vocabulary: Int,
        normEpsilon: Float
    ) {
        self.hidden = hidden
        self.feedForward = feedForward
        self.layers = layers
        self.heads = heads
        self.kvHeads = kvHeads
        self.headDim = headDim
        self.vocabulary = vocabulary
        self.normEpsilon = normEpsilon
    }

    /// Query heads that share a key-value head.
    public var group: Int { heads / kvHeads }
}

/// Tokens a block of the key-value cache, on every backend.
public let cacheBlock = 32

/// A layer's weights.
public struct LayerWeights<B: Backend> {
    /// `[hidden]`
    public var attentionNorm: B.Vector
    /// q, k and v as parts 0, 1 and 2.
    public var qkv: B.Matrix
    public var o: B.Matrix
    /// `[hidden]`
    public var feedForwardNorm: B.Vector
    /// gate and up, from `gatedMatrix`.
    public var gateUp: B.Matrix
    public var down: B.Matrix

    public init(
        attentionNorm: B.Vector, qkv: B.Matrix, o: B.Matrix, feedForwardNorm: B.Vector, gateUp: B.Matrix,
        down: B.Matrix
    ) {
        self.attentionNorm = attentionNorm
        self.qkv = qkv
        self.o = o
        self.feedForwardNorm = feedForwardNorm
        self.gateUp = gateUp
        self.down = down
    }
}

/// The bank's adapters of modules that share an input.
public struct BankGroup<Matrix> {
    /// Every module's stacked A, `[modules * slots * rank, in]`.
    public var a: Matrix
    /// Each module's part in the layer's matrix and its stacked B, `[out, slots * rank]`, scale included.
    public var outputs: [(part: Int, b: Matrix)]

    public init(a: Matrix, outputs: [(part: Int, b: Matrix)]) {
        self.a = a
        self.outputs = outputs
    }
}

/// The bank's adapters of one layer; nil where no adapter touches the modules.
public struct BankLayer<Matrix> {
    public var qkv: BankGroup<Matrix>?
    public var o: BankGroup<Matrix>?
    public var gateUp: BankGroup<Matrix>?
    public var down: BankGroup<Matrix>?

    public init() {}
}

/// One sequence's rows in a step: consecutive positions.
public struct Span: Equatable, Sendable {
    /// The first, among the step's rows.
    public var row: Int
    public var count: Int
    /// Position of the first row in its sequence.
    public var position: Int
    /// Where the sequence's block numbers start in the step's table.
    public var blocks: Int
    /// Index into the step's mixtures.
    public var mixture: Int

    public init(row: Int, count: Int, position: Int, blocks: Int, mixture: Int) {
        self.row = row
        self.count = count
        self.position = position
        self.blocks = blocks
        self.mixture = mixture
    }
}

/// The rows of a step: a packed ragged batch, no padding.
public struct StepRows: Sendable {
    /// Row by row; empty where the rows come from an earlier step's rows.
    public var tokens: [Int32]
    /// By ascending rows, without gaps.
    public var spans: [Span]
    /// Block numbers of all spans, back to back.
    public var blocks: [Int32]

    public init(tokens: [Int32] = [], spans: [Span] = [], blocks: [Int32] = []) {
        self.tokens = tokens
        self.spans = spans
        self.blocks = blocks
    }

    public var count: Int { spans.last.map { $0.row + $0.count } ?? 0 }
}

/// Which of q, k and v a projection computes: past the last layer's keys and values only needed rows go on.
public enum Projection: Sendable {
    case all, keysValues, queries
}

/// What is wanted of a row's logits.
public enum Pick: Sendable, Equatable {
    case greedy
    /// Draws at `temperature` from the smallest set of tokens with more than `topP` of the probability; `draw` is
    /// uniform in [0, 1) and the caller's.
    case sample(temperature: Float, topP: Float, draw: Double)
    /// The natural log-probability of a token.
    case logProbability(of: Int32)
    /// The logits themselves.
    case logits
}

/// What came of a row's logits.
public enum Picked: Sendable, Equatable {
    case token(Int32)
    case logProbability(Double)
    case logits([Float])
    /// NaN or nothing finite among the logits.
    case unsound
}

/// Weighs the bank's adapters for one mixture: `[layers][slots]`, empty for the base.
public struct MixtureWeights: Sendable, Equatable {
    public var layers: [[Float]]

    public init(layers: [[Float]]) { self.layers = layers }

    public var isBase: Bool { layers.isEmpty }
}

/// How a bank's adapters combine, with the bank's sizes.
public struct BankShape: Sendable, Equatable {
    /// Adapters in the bank.
    public var slots: Int
    /// The largest of any adapter; each slot takes so many places.
    public var rank: Int
    /// Whether the sums are of A and of B, as in Checkpoints' `Merge.factors`, rather than of their products.
    public var factors: Bool

    public init(slots: Int, rank: Int, factors: Bool) {
        self.slots = slots
        self.rank = rank
        self.factors = factors
    }
}

/// Work done in products, for rates.
public struct ProductTotals: Sendable, Equatable {
    /// Two for each multiplication with its addition.
    public var operations = 0.0
    /// Of operands and results, each once a product.
    public var bytes = 0.0
    /// Seconds summed over the threads.
    public var threadSeconds = 0.0

    public init() {}
}

/// A machine's operations on a step's rows. The model is written once over it.
///
/// The backend owns the rows' buffers: the residual stream x, the queries and the attention's output; `reserve` sizes
/// them once, and no operation allocates device memory after that. A device works behind the caller's back: what goes
/// wrong in an operation is thrown by the next call that waits for its results, `pick` or `hidden`.
public protocol Backend: AnyObject {
    associatedtype Matrix
    associatedtype Vector
    associatedtype Cache

    /// Sizes the buffers for steps of up to `rows` rows, sequences of up to `positions` positions.
    func reserve(rows: Int, positions: Int, shape: ModelShape, rotary: [Double]) throws(ComputeError)
    /// Lets go of what was reserved, so that what fits next does not follow from what was there before.
    func letGo()
    /// A weight of `width` inputs; the parts' outputs follow one another.
    func matrix(_ parts: [MatrixPart], width: Int) throws(ComputeError) -> Matrix
    /// Gate and up projections of `rows` outputs each, laid out so that the gate can follow within the product. A
    /// missing one gives 0: an adapter's B for one of the two.
    func gatedMatrix(gate: MatrixPart?, up: MatrixPart?, rows: Int, width: Int) throws(ComputeError) -> Matrix
    /// A norm's weight.
    func vector(_ values: [Float]) throws(ComputeError) -> Vector
    /// Bytes of a block of the cache: all layers and heads of `cacheBlock` tokens.
    func blockBytes(_ shape: ModelShape) -> Int
    /// Bytes that are left for a cache; nil where it does not share a bounded memory with all that is loaded and reserved.
    /// Where it does, it has to go before more of that is, and can be as large as what is left.
    var room: Int? { get }
    /// Room for the keys and values of `blocks * cacheBlock` tokens, in all layers.
    func cache(blocks: Int, shape: ModelShape) throws(ComputeError) -> Cache
    /// Copies a block whole, all layers.
    func copyBlock(_ cache: Cache, from source: Int32, to target: Int32)
    /// Says which mixtures the coming steps' spans mean, and about how many rows each will have.
    func setMixtures(
        _ mixtures: [MixtureWeights], rows: [Int], bank: [BankLayer<Matrix>], shape: BankShape?,
        weights: [LayerWeights<Self>]) throws(ComputeError)

    /// Says which rows the operations up to the next call are about.
    func begin(_ rows: StepRows, cache: Cache)
    /// Lets go of mixtures, rows and cache: a call is over, and what it was about may be replaced.
    func end()
    /// x = embedding rows of the tokens.
    func embed(table: Matrix)
    /// Norm, q, k, v with the bank, rotation; keys and values go to the cache.
    func attentionInput(layer: Int, weights: LayerWeights<Self>, projection: Projection)
    /// attention = causal attention of the rows' queries over their sequences' cached keys and values.
    func attend(layer: Int)
    /// x += o(attention); x += down(silu(gate(norm x)) * up(norm x)).
    func layerOutput(layer: Int, weights: LayerWeights<Self>)
    /// Moves the given rows of x, which ascend, to the front.
    func gather(_ rows: [Int])
    /// Final norm, head, and what is wanted of each of the first rows of x.
    func pick(_ picks: [Pick], norm: Vector, head: Matrix) throws(ComputeError) -> [Picked]
    /// Continues sequences, each step's tokens being the next step's rows, without a look in between.
    ///
    /// - Parameters:
    ///   - rows: spans of one row, one after the other, with blocks for all positions to come.
    ///   - picks: `[steps][rows]`, up to `decodeStride` steps; a row's differ in their draws alone.
    ///   - forward: queues the embedding and all layers for the rows at hand.
    /// - Returns: `[steps][rows]`; what comes after `unsound` in a row means nothing.
    func decode(
        _ rows: StepRows, cache: Cache, picks: [[Pick]], norm: Vector, head: Matrix, forward: () -> Void
    ) throws(ComputeError) -> [[Picked]]
    /// The most steps that `decode` takes; 1 where looking at every token costs nothing.
    var decodeStride: Int { get }
    /// Final norm of the first `rows` rows of x, `[rows][hidden]`.
    func hidden(rows: Int, norm: Vector) throws(ComputeError) -> [[Float]]

    /// Names all that the results' last bits depend on besides model and calls: equal names, equal bits.
    ///
    /// - Parameter tokenBudget: the most rows of a step.
    func arithmetic(tokenBudget: Int) -> String
    /// Since the backend was made.
    var products: ProductTotals { get }
    /// Bytes copied between the host's memory and the device's, both ways; 0 where they are one.
    var copiedBytes: Int { get }
    /// Why `decode` runs its steps call by call, which is slower; nil where it does not, or does so by its nature.
    var decodeRefusal: ComputeError? { get }
    /// Whether `products` has seconds; a GPU does not measure them unasked.
    var measuresProducts: Bool { get set }
    /// Floating-point operations a second of the machine's own library in one large product.
    func largeProductRate() throws(ComputeError) -> Double
    /// Bytes besides weights, bank and cache: rows, tables, a thread's own memory.
    var scratchBytes: Int { get }
}

extension Backend {
    public func letGo() {}

    public var decodeRefusal: ComputeError? { nil }

    public var decodeStride: Int { 1 }

    public func decode(
        _ rows: StepRows, cache: Cache, picks: [[Pick]], norm: Vector, head: Matrix, forward: () -> Void
    ) throws(ComputeError) -> [[Picked]] {
        try decodeStepByStep(rows, cache: cache, picks: picks, norm: norm, head: head, forward: forward)
    }

    /// What `decode` means.
    func decodeStepByStep(
        _ rows: StepRows, cache: Cache, picks: [[Pick]], norm: Vector, head: Matrix, forward: () -> Void
    ) throws(ComputeError) -> [[Picked]] {
        var rows = rows
        var all: [[Picked]] = []
        for wanted in picks {
            begin(rows, cache: cache)
            forward()
            let picked = try pick(wanted, norm: norm, head: head)
            for (row, result) in picked.enumerated() {
                rows.spans[row].position += 1
                if case .token(let token) = result { rows.tokens[row] = token }
            }
            all.append(picked)
        }
        return all
    }
}
