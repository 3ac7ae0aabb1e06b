import JSON

extension LlamaConfig {
    /// Reads config.json in `folder`, and generation_config.json's end tokens where there are some.
    ///
    /// Both spellings of the rotary settings are read (`rope_scaling` with `rope_theta`, and `rope_parameters`); where
    /// both are given they must agree, since a reader of only one would silently be wrong.
    public init(folder: String) throws(CheckpointError) {
        let file = try readJSON("\(folder)/config.json")
        try file.refuseUnsupported()
        let hidden = try file.size("hidden_size", atMost: 1 << 16)
        let heads = try file.size("num_attention_heads", atMost: 1 << 10)
        let kvHeads = try file.size("num_key_value_heads", absent: heads, atMost: 1 << 10)
        guard heads % kvHeads == 0 else {
            throw CheckpointError(
                .contradiction, file.field("num_key_value_heads"), found: "\(kvHeads) for \(heads) attention heads",
                remedy: "the attention heads must be a multiple")
        }
        guard file["head_dim"] != nil || hidden % heads == 0 else {
            throw CheckpointError(
                .contradiction, file.field("hidden_size"), found: "\(hidden) for \(heads) heads and no head_dim",
                remedy: "give head_dim, or a hidden_size that the heads divide")
        }
        let headDim = try file.size("head_dim", absent: hidden / heads, atMost: 1 << 10)
        guard headDim % 2 == 0 else {
            throw CheckpointError(
                .unsupported, file.field("head_dim"), found: "\(headDim)", remedy: "rotary embeddings need an even one")
        }
        let vocabulary = try file.size("vocab_size", atMost: 1 << 22)
        let rope = try file.rope()
        self.init(
            hiddenSize: hidden, intermediateSize: try file.size("intermediate_size", atMost: 1 << 18),
            layers: try file.size("num_hidden_layers", atMost: 1 << 10), heads: heads, kvHeads: kvHeads,
            headDim: headDim, vocabulary: vocabulary, normEpsilon: try file.normEpsilon(), ropeTheta: rope.theta,
            ropeScaling: rope.scaling,
            maxPositions: try file.size("max_position_embeddings", absent: 2048, atMost: 1 << 24),
            tiedEmbeddings: try file.flag("tie_word_embeddings") ?? false,
            eos: try file.ends(folder: folder, vocabulary: vocabulary))
    }
}

extension JSONFields {
    /// The tokens that end a sequence. Instruct models end at more of them than config.json says, so generation_config.json
    /// goes first.
    fileprivate func ends(folder: String, vocabulary: Int) throws(CheckpointError) -> [Int32] {
        let path = "\(folder)/generation_config.json"
        var files = [self]
        // Only a missing file is no file: a link or an unreadable one is refused below.
        if try isPresent(path) { files.insert(try readJSON(path), at: 0) }
        for file in files {
            guard let ids = try file.integers("eos_token_id") else { continue }
            for id in ids where !(0..<vocabulary).contains(id) {
                throw CheckpointError(
                    .contradiction, file.field("eos_token_id"), found: "\(id)",
                    remedy: "token ids lie in 0..<\(vocabulary), the vocab_size of config.json")
            }
            return ids.map { Int32($0) }
        }
        return []
    }

    /// An integer of 1 to `most`.
    fileprivate func size(_ name: String, absent: Int? = nil, atMost most: Int) throws(CheckpointError) -> Int {
        guard let value = try integer(name) ?? absent else {
            throw CheckpointError(
                .malformed, field(name), found: "nothing", remedy: "give an integer of 1 to \(most)")
        }
        guard (1...most).contains(value) else {
            throw CheckpointError(
                .malformed, field(name), found: "\(value)", remedy: "give an integer of 1 to \(most)")
        }
        return value
    }

    fileprivate func normEpsilon() throws(CheckpointError) -> Float {
        let epsilon = try number("rms_norm_eps") ?? 1e-6
        guard (1e-12..<1).contains(epsilon) else {
            throw CheckpointError(
                .malformed, field("rms_norm_eps"), found: "\(epsilon)", remedy: "give a small positive number")
        }
        return Float(epsilon)
    }

    /// Throws for settings that would make another model of the same weights, each with what primed runs.
    fileprivate func refuseUnsupported() throws(CheckpointError) {
        try refuse("model_type", unless: .string("llama"), "models of type llama")
        try refuse("architectures", unless: .list([.string("LlamaForCausalLM")]), "LlamaForCausalLM")
        try refuse("hidden_act", unless: .string("silu"), "silu")
        try refuse("attention_bias", "models without biases")
        try refuse("mlp_bias", "models without biases")
        try refuse("quantization_config", "f32, f16 and bf16 weights")
        try refuse("sliding_window", "full attention")
        try refusePartialRotary()
    }

    private func refusePartialRotary() throws(CheckpointError) {
        guard let factor = try number("partial_rotary_factor"), factor != 1 else { return }
        throw CheckpointError(
            .unsupported, field("partial_rotary_factor"), found: "\(factor)",
            remedy: "primed runs rotary embeddings of whole heads")
    }

    private func refuse(
        _ name: String, unless known: JSONValue? = nil, _ words: String
    ) throws(CheckpointError) {
        guard let value = self[name], !value.isNothing, value != known else { return }
        throw CheckpointError(.unsupported, field(name), found: value.summary, remedy: "primed runs \(words)")
    }

    /// The rotary settings in whichever spelling the file has them.
    fileprivate func rope() throws(CheckpointError) -> (theta: Double, scaling: LlamaConfig.RopeScaling?) {
        let spellings = ["rope_scaling", "rope_parameters"]
        var scalings: [LlamaConfig.RopeScaling?] = []
        var thetas = [try number("rope_theta")]
        for name in spellings {
            guard let rope = try fields(name) else { continue }
            scalings.append(try rope.scaling())
            thetas.append(try rope.number("rope_theta"))
        }
        guard scalings.count < 2 || scalings[0] == scalings[1] else {
            throw CheckpointError(
                .contradiction, field("rope_scaling"), found: "other numbers than rope_parameters has",
                remedy: "keep the one that the model was trained with")
        }
        let given = Set(thetas.compactMap { $0 }).sorted()
        guard given.count <= 1 else {
            throw CheckpointError(
                .contradiction, field("rope_theta"), found: given.map { "\($0)" }.joined(separator: " and "),
                remedy: "keep the one that the model was trained with")
        }
        let theta = given.first ?? 10000
        guard (1...1e12).contains(theta) else {
            throw CheckpointError(
                .malformed, field("rope_theta"), found: "\(theta)", remedy: "give a number of 1 to 1e12")
        }
        return (theta, scalings.first ?? nil)
    }

    /// `self` as `rope_scaling` of transformers 4 or `rope_parameters` of transformers 5; nil for plain embeddings.
    private func scaling() throws(CheckpointError) -> LlamaConfig.RopeScaling? {
        try refusePartialRotary()
        let old = try text("type")
        let new = try text("rope_type")
        guard old == nil || new == nil || old == new else {
            throw CheckpointError(
                .contradiction, field("type"), found: "\(printable(old!)) beside rope_type \(printable(new!))",
                remedy: "give one of them")
        }
        // transformers 5 nests a set of numbers per layer type for models that are no Llama.
        for member in object.members {
            guard case .object = member.value else { continue }
            throw CheckpointError(
                .unsupported, field(member.key), found: "an object",
                remedy: "primed runs one set of rotary settings for all layers")
        }
        switch new ?? old ?? "default" {
        case "default": return nil
        case "llama3": break
        case let other:
            throw CheckpointError(
                .unsupported, field("rope_type"), found: printable(other), remedy: "primed runs default and llama3")
        }
        guard let factor = try number("factor"), let low = try number("low_freq_factor"),
            let high = try number("high_freq_factor"), let original = try integer("original_max_position_embeddings"),
            (1...1e6).contains(factor), low > 0, high > low, high <= 1e6, (1...(1 << 24)).contains(original)
        else {
            throw CheckpointError(
                .malformed, place, found: "numbers that do not scale",
                remedy: "llama3 needs factor, low_freq_factor < high_freq_factor, original_max_position_embeddings")
        }
        return LlamaConfig.RopeScaling(
            factor: factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions: original)
    }
}
