import Glibc

/// The shape of a Llama model, from config.json and generation_config.json.
public struct LlamaConfig: Sendable, Equatable {
    public var hiddenSize: Int
    public var intermediateSize: Int
    public var layers: Int
    public var heads: Int
    public var kvHeads: Int
    public var headDim: Int
    public var vocabulary: Int
    public var normEpsilon: Float
    public var ropeTheta: Double
    /// nil for plain rotary embeddings.
    public var ropeScaling: RopeScaling?
    public var maxPositions: Int
    public var tiedEmbeddings: Bool
    public var bos: Int32?
    /// Every id that ends a sequence.
    public var eos: [Int32]

    /// Llama 3.1's change of the low rotary frequencies.
    public struct RopeScaling: Sendable, Equatable {
        public var factor: Double
        public var lowFrequencyFactor: Double
        public var highFrequencyFactor: Double
        public var originalMaxPositions: Int
    }

    public init(
        hiddenSize: Int, intermediateSize: Int, layers: Int, heads: Int, kvHeads: Int, headDim: Int, vocabulary: Int,
        normEpsilon: Float = 1e-5, ropeTheta: Double = 10000, ropeScaling: RopeScaling? = nil, maxPositions: Int = 2048,
        tiedEmbeddings: Bool = false, bos: Int32? = nil, eos: [Int32] = []
    ) {
        self.hiddenSize = hiddenSize
        self.intermediateSize = intermediateSize
        self.layers = layers
        self.heads = heads
        self.kvHeads = kvHeads
        self.headDim = headDim
        self.vocabulary = vocabulary
        self.normEpsilon = normEpsilon
        self.ropeTheta = ropeTheta
        self.ropeScaling = ropeScaling
        self.maxPositions = maxPositions
        self.tiedEmbeddings = tiedEmbeddings
        self.bos = bos
        self.eos = eos
    }

    /// Rotary frequencies, `[headDim / 2]`, scaled as Llama 3.1 does where the configuration says so.
    public var rotaryFrequencies: [Double] {
        (0..<(headDim / 2)).map { index in
            let frequency = pow(ropeTheta, -Double(2 * index) / Double(headDim))
            guard let scaling = ropeScaling else { return frequency }
            let wavelength = 2 * Double.pi / frequency
            let original = Double(scaling.originalMaxPositions)
            if wavelength < original / scaling.highFrequencyFactor { return frequency }
            if wavelength > original / scaling.lowFrequencyFactor { return frequency / scaling.factor }
            let smooth =
                (original / wavelength - scaling.lowFrequencyFactor)
                / (scaling.highFrequencyFactor - scaling.lowFrequencyFactor)
            return (1 - smooth) * frequency / scaling.factor + smooth * frequency
        }
    }

    /// `[out, in]` of a linear module.
    public func shape(of module: LinearModule) -> (out: Int, input: Int) {
        switch module {
        case .q: (heads * headDim, hiddenSize)
        case .k, .v: (kvHeads * headDim, hiddenSize)
        case .o: (hiddenSize, heads * headDim)
        case .gate, .up: (intermediateSize, hiddenSize)
        case .down: (hiddenSize, intermediateSize)
        }
    }
}

/// The linear modules of a Llama layer, in the order of the forward pass.
public enum LinearModule: String, CaseIterable, Sendable, Comparable {
    case q = "q_proj"
    case k = "k_proj"
    case v = "v_proj"
    case o = "o_proj"
    case gate = "gate_proj"
    case up = "up_proj"
    case down = "down_proj"

    /// The name inside a layer, e.g. `self_attn.q_proj`.
    public var path: String {
        switch self {
        case .q, .k, .v, .o: "self_attn.\(rawValue)"
        case .gate, .up, .down: "mlp.\(rawValue)"
        }
    }

    public static func < (left: LinearModule, right: LinearModule) -> Bool {
        allCases.firstIndex(of: left)! < allCases.firstIndex(of: right)!
    }
}
