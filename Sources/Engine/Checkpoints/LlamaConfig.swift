import Glibc

/// The shape of a Llama model, from config.json and generation_config.json.
public struct LlamaConfig: Sendable, Equatable {
    /// `hidden_size`, the width of the residual stream.
    public var hiddenSize: Int
    /// `intermediate_size`, the outputs of gate and of up.
    public var intermediateSize: Int
    /// `num_hidden_layers`.
    public var layers: Int
    /// `num_attention_heads`, those of the queries; a multiple of `kvHeads`.
    public var heads: Int
    /// `num_key_value_heads`, as many as `heads` where absent.
    public var kvHeads: Int
    /// `head_dim`, even; `hiddenSize / heads` where absent.
    public var headDim: Int
    /// `vocab_size`, the rows of the embedding and of the head.
    public var vocabulary: Int
    /// `rms_norm_eps`, 1e-6 where absent.
    public var normEpsilon: Float
    /// `rope_theta`, the base of the rotary frequencies; 10000 where absent.
    public var ropeTheta: Double
    /// nil for plain rotary embeddings.
    public var ropeScaling: RopeScaling?
    /// `max_position_embeddings`, the most tokens of a sequence; 2048 where absent.
    public var maxPositions: Int
    /// `tie_word_embeddings`: whether the embedding is the head, too.
    public var tiedEmbeddings: Bool
    /// Every id that ends a sequence. (What begins one is the tokenizer's to say.)
    public var eos: [Int32]

    /// Llama 3.1's change of the low rotary frequencies.
    public struct RopeScaling: Sendable, Equatable {
        /// `factor`, by which the low frequencies are divided.
        public var factor: Double
        /// `low_freq_factor`: a frequency is low where `originalMaxPositions` hold fewer of its wavelengths.
        public var lowFrequencyFactor: Double
        /// `high_freq_factor`: one stays as it is where they hold more; in between the two are mixed.
        public var highFrequencyFactor: Double
        /// `original_max_position_embeddings`, the positions before the model was made to take longer texts.
        public var originalMaxPositions: Int
    }

    public init(
        hiddenSize: Int, intermediateSize: Int, layers: Int, heads: Int, kvHeads: Int, headDim: Int, vocabulary: Int,
        normEpsilon: Float = 1e-5, ropeTheta: Double = 10000, ropeScaling: RopeScaling? = nil, maxPositions: Int = 2048,
        tiedEmbeddings: Bool = false, eos: [Int32] = []
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
