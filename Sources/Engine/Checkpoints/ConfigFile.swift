import FoundationEssentials
import Glibc

func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }

extension LlamaConfig {
    /// Reads config.json in `folder`, and generation_config.json's end tokens where there are some.
    ///
    /// Both spellings of the rotary settings are read (`rope_scaling` with `rope_theta`, and `rope_parameters`); where
    /// both are given they must agree, since a reader of only one would silently be wrong.
    public init(folder: String) throws(CheckpointError) {
        let path = "\(folder)/config.json"
        let file = try readJSON(ConfigFile.self, path)
        try file.refuseUnsupported(path)
        func bounded(_ name: String, _ value: Int?, _ most: Int) throws(CheckpointError) -> Int {
            guard let value else {
                throw CheckpointError(
                    .malformed, "\(path): \(name)", found: "nothing", remedy: "give an integer of 1 to \(most)")
            }
            guard (1...most).contains(value) else {
                throw CheckpointError(
                    .malformed, "\(path): \(name)", found: "\(value)", remedy: "give an integer of 1 to \(most)")
            }
            return value
        }
        let hidden = try bounded("hidden_size", file.hidden_size, 1 << 16)
        let heads = try bounded("num_attention_heads", file.num_attention_heads, 1 << 10)
        let kvHeads = try bounded("num_key_value_heads", file.num_key_value_heads ?? heads, 1 << 10)
        guard heads % kvHeads == 0 else {
            throw CheckpointError(
                .contradiction, "\(path): num_key_value_heads", found: "\(kvHeads) for \(heads) attention heads",
                remedy: "the attention heads must be a multiple")
        }
        guard file.head_dim != nil || hidden % heads == 0 else {
            throw CheckpointError(
                .contradiction, "\(path): hidden_size", found: "\(hidden) for \(heads) heads and no head_dim",
                remedy: "give head_dim, or a hidden_size that the heads divide")
        }
        let headDim = try bounded("head_dim", file.head_dim ?? hidden / heads, 1 << 10)
        guard headDim % 2 == 0 else {
            throw CheckpointError(
                .unsupported, "\(path): head_dim", found: "\(headDim)", remedy: "rotary embeddings need an even one")
        }
        let epsilon = file.rms_norm_eps ?? 1e-6
        guard epsilon.isFinite, epsilon > 0, epsilon < 1 else {
            throw CheckpointError(
                .malformed, "\(path): rms_norm_eps", found: "\(epsilon)", remedy: "give a small positive number")
        }
        let rope = try file.rope(path)
        let generation = try GenerationFile.read(folder)
        let vocabulary = try bounded("vocab_size", file.vocab_size, 1 << 22)
        let eos = generation?.eos_token_id?.ids ?? file.eos_token_id?.ids ?? []
        for id in eos + [generation?.bos_token_id ?? file.bos_token_id ?? 0] {
            guard (0..<vocabulary).contains(Int(id)) else {
                throw CheckpointError(
                    .contradiction, "\(path): eos_token_id or bos_token_id", found: "\(id)",
                    remedy: "token ids lie in 0..<\(vocabulary)")
            }
        }
        self.init(
            hiddenSize: hidden,
            intermediateSize: try bounded("intermediate_size", file.intermediate_size, 1 << 18),
            layers: try bounded("num_hidden_layers", file.num_hidden_layers, 1 << 10), heads: heads, kvHeads: kvHeads,
            headDim: headDim, vocabulary: vocabulary, normEpsilon: Float(epsilon), ropeTheta: rope.theta,
            ropeScaling: rope.scaling,
            maxPositions: try bounded("max_position_embeddings", file.max_position_embeddings ?? 2048, 1 << 24),
            tiedEmbeddings: file.tie_word_embeddings ?? false, bos: generation?.bos_token_id ?? file.bos_token_id,
            eos: eos)
    }
}

/// config.json, with exactly its keys.
struct ConfigFile: Decodable {
    var architectures: [String]?
    var model_type: String?
    var hidden_size: Int?
    var intermediate_size: Int?
    var num_hidden_layers: Int?
    var num_attention_heads: Int?
    var num_key_value_heads: Int?
    var head_dim: Int?
    var rms_norm_eps: Double?
    var vocab_size: Int?
    var max_position_embeddings: Int?
    var rope_theta: Double?
    var rope_scaling: RopeFile?
    var rope_parameters: RopeFile?
    var tie_word_embeddings: Bool?
    var attention_bias: Bool?
    var mlp_bias: Bool?
    var hidden_act: String?
    var bos_token_id: Int32?
    var eos_token_id: TokenIds?
    var quantization_config: JSONValue?
    var sliding_window: Int?

    func refuseUnsupported(_ path: String) throws(CheckpointError) {
        let refusals: [(String, Bool, String)] = [
            ("model_type \(printable(model_type ?? "null"))", model_type != nil && model_type != "llama", "a Llama"),
            (
                "architectures \(printable(architectures?.joined(separator: ", ") ?? ""))",
                architectures.map { $0 != ["LlamaForCausalLM"] } ?? false, "LlamaForCausalLM"
            ),
            ("attention_bias true", attention_bias == true, "a model without biases"),
            ("mlp_bias true", mlp_bias == true, "a model without biases"),
            ("hidden_act \(printable(hidden_act ?? ""))", hidden_act.map { $0 != "silu" } ?? false, "silu"),
            ("quantization_config", quantization_config.map { !$0.isNothing } ?? false, "f32, f16 or bf16 weights"),
            ("sliding_window", sliding_window != nil, "a model with full attention"),
        ]
        for (found, refused, remedy) in refusals where refused {
            throw CheckpointError(.unsupported, path, found: found, remedy: "primed runs \(remedy)")
        }
    }

    func rope(_ path: String) throws(CheckpointError) -> (theta: Double, scaling: LlamaConfig.RopeScaling?) {
        let old = try rope_scaling?.scaling("\(path): rope_scaling")
        let new = try rope_parameters?.scaling("\(path): rope_parameters")
        if rope_scaling != nil, rope_parameters != nil, old != new {
            throw CheckpointError(
                .contradiction, "\(path): rope_scaling", found: "other numbers than rope_parameters has",
                remedy: "keep the one that the model was trained with")
        }
        let thetas = [rope_theta, rope_parameters?.rope_theta, rope_scaling?.rope_theta].compactMap { $0 }
        guard Set(thetas).count <= 1 else {
            throw CheckpointError(
                .contradiction, "\(path): rope_theta", found: "\(thetas)", remedy: "give it once")
        }
        let theta = thetas.first ?? 10000
        guard theta.isFinite, theta >= 1, theta <= 1e12 else {
            throw CheckpointError(
                .malformed, "\(path): rope_theta", found: "\(theta)", remedy: "give a number of 1 to 1e12")
        }
        return (theta, (new ?? nil) ?? (old ?? nil))
    }
}

/// `rope_scaling` of transformers 4 and `rope_parameters` of transformers 5.
struct RopeFile: Decodable {
    var type: String?
    var rope_type: String?
    var rope_theta: Double?
    var factor: Double?
    var low_freq_factor: Double?
    var high_freq_factor: Double?
    var original_max_position_embeddings: Int?

    func scaling(_ place: String) throws(CheckpointError) -> LlamaConfig.RopeScaling? {
        if let type, let rope_type, type != rope_type {
            throw CheckpointError(
                .contradiction, "\(place).type", found: "\(printable(type)) beside rope_type \(printable(rope_type))",
                remedy: "give one of them")
        }
        switch rope_type ?? type ?? "default" {
        case "default": return nil
        case "llama3": break
        case let other:
            throw CheckpointError(
                .unsupported, "\(place).rope_type", found: printable(other), remedy: "primed runs default and llama3")
        }
        guard let factor, let low = low_freq_factor, let high = high_freq_factor,
            let original = original_max_position_embeddings, factor >= 1, factor <= 1e6, low > 0, high > low,
            high <= 1e6, (1...(1 << 24)).contains(original)
        else {
            throw CheckpointError(
                .malformed, place, found: "numbers that do not scale",
                remedy: "llama3 needs factor, low_freq_factor < high_freq_factor, original_max_position_embeddings")
        }
        return LlamaConfig.RopeScaling(
            factor: factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions: original)
    }
}

/// One id or a list of ids.
struct TokenIds: Decodable {
    let ids: [Int32]

    init(from decoder: any Decoder) throws {
        let value = try decoder.singleValueContainer()
        if let id = try? value.decode(Int32.self) {
            ids = [id]
        } else {
            ids = try value.decode([Int32].self)
        }
    }
}

/// generation_config.json: instruct models end at more tokens than config.json says.
struct GenerationFile: Decodable {
    var bos_token_id: Int32?
    var eos_token_id: TokenIds?

    static func read(_ folder: String) throws(CheckpointError) -> GenerationFile? {
        let path = "\(folder)/generation_config.json"
        guard access(path, F_OK) == 0 else { return nil }
        return try readJSON(GenerationFile.self, path)
    }
}
