import JSON

/// adapter_config.json, as far as it changes what the tensors mean.
struct AdapterConfig {
    private let rank: Int
    private let alpha: Double
    private let rankStabilised: Bool
    private let rankPattern: Pattern
    private let alphaPattern: Pattern

    /// Keys that mean nothing to a trained adapter, whatever their value.
    private static let harmless: Set<String> = [
        "auto_mapping", "base_model_name_or_path", "revision", "inference_mode", "lora_dropout", "peft_version",
        "task_type", "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "loftq_config",
        "eva_config", "corda_config", "lora_ga_config", "megatron_config", "megatron_core", "qalora_group_size",
    ]

    /// Keys that are read here.
    private static let read: Set<String> = [
        "peft_type", "r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "init_lora_weights", "bias",
    ]

    /// Initialisations that leave the base as it was. Others (PiSSA, OLoRA, CorDA, LoftQ, LoRA-GA) subtract the new
    /// adapter from the base, so the saved tensors belong to a base that is nowhere on disk.
    private static let inits: [JSONValue] =
        [.bool(true), .bool(false)] + ["gaussian", "eva", "orthogonal", "mica"].map(JSONValue.string)

    init(folder: String) throws(CheckpointError) {
        let file = try readJSON("\(folder)/adapter_config.json", limit: 1 << 20)
        let type = try file.text("peft_type")
        guard type == "LORA" else {
            throw CheckpointError(
                .unsupported, file.field("peft_type"), found: printable(type ?? "nothing"),
                remedy: "primed merges LORA adapters")
        }
        for member in file.object.members
        where !Self.harmless.contains(member.key) && !Self.read.contains(member.key) && !member.value.isNothing {
            throw CheckpointError(
                .unsupported, file.field(member.key), found: member.value.summary,
                remedy: "primed merges plain LoRA; train without it")
        }
        if let bias = file["bias"], bias != .string("none") {
            throw CheckpointError(
                .unsupported, file.field("bias"), found: bias.summary, remedy: "primed merges adapters without biases")
        }
        if let initialisation = file["init_lora_weights"], !Self.inits.contains(initialisation) {
            throw CheckpointError(
                .unsupported, file.field("init_lora_weights"), found: initialisation.summary,
                remedy: "such an adapter changes its base; save it converted to plain LoRA (see PEFT's save_pretrained)"
            )
        }
        guard let rank = try file.integer("r"), Self.ranks.contains(Double(rank)) else {
            throw CheckpointError(
                .malformed, file.field("r"), found: file["r"]?.summary ?? "nothing", remedy: "give a rank of 1 to 4096")
        }
        guard let alpha = try file.number("lora_alpha"), Self.alphas.contains(alpha) else {
            throw CheckpointError(
                .malformed, file.field("lora_alpha"), found: file["lora_alpha"]?.summary ?? "nothing",
                remedy: "give a number of at most a million")
        }
        self.rank = rank
        self.alpha = alpha
        rankStabilised = try file.flag("use_rslora") ?? false
        rankPattern = try Self.pattern("rank_pattern", of: file, Self.ranks, whole: true)
        alphaPattern = try Self.pattern("alpha_pattern", of: file, Self.alphas, whole: false)
    }

    private static let ranks: ClosedRange<Double> = 1...4096
    private static let alphas: ClosedRange<Double> = -1e6...1e6

    func rank(of site: AdapterSite) -> Int {
        rankPattern[site].map { Int($0) } ?? rank
    }

    func scale(of site: AdapterSite, rank: Int) -> Float {
        let alpha = alphaPattern[site] ?? alpha
        return Float(rankStabilised ? alpha / Double(rank).squareRoot() : alpha / Double(rank))
    }

    private static func pattern(
        _ name: String, of file: JSONFields, _ bounds: ClosedRange<Double>, whole: Bool
    ) throws(CheckpointError) -> Pattern {
        var pattern = Pattern()
        guard let entries = try file.fields(name) else { return pattern }
        for entry in entries.object.members {
            guard let number = whole ? entry.value.asInteger.map(Double.init) : entry.value.asNumber,
                bounds.contains(number)
            else {
                throw CheckpointError(
                    .malformed, entries.field(entry.key), found: entry.value.summary,
                    remedy: "give \(whole ? "a rank" : "a number") of \(bounds.lowerBound) to \(bounds.upperBound)")
            }
            // PEFT takes the keys for regular expressions; in plain names a dot is the only sign that is one.
            let key = entry.key.split(separator: "\\.", omittingEmptySubsequences: false).joined(separator: ".")
            let plain = key.hasPrefix("^") ? key.dropFirst() : key[...]
            guard !plain.isEmpty,
                plain.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") })
            else {
                throw CheckpointError(
                    .unsupported, entries.field(entry.key), found: "a regular expression",
                    remedy: "name modules plainly: q_proj or model.layers.0.self_attn.q_proj")
            }
            pattern.add(key, number)
        }
        return pattern
    }
}

/// Values by plain names of modules. PEFT matches a key as `(.*\.)?(key)$` from the beginning of the module's full name:
/// the whole name, or an end of it after a dot; with `^` the whole name only. Of several that match, the file's first
/// counts.
///
/// A look-up takes as long for a hundred thousand keys as for one.
private struct Pattern {
    private var values: [String: (place: Int, value: Double)] = [:]

    mutating func add(_ key: String, _ value: Double) {
        if values[key] == nil { values[key] = (values.count, value) }
    }

    subscript(site: AdapterSite) -> Double? {
        let name = "model.layers.\(site.layer).\(site.module.path)"
        var matches = [values["^\(name)"]]
        var rest = name[...]
        while true {
            matches.append(values[String(rest)])
            guard let dot = rest.firstIndex(of: ".") else { break }
            rest = rest[rest.index(after: dot)...]
        }
        return matches.compactMap(\.self).min { $0.place < $1.place }?.value
    }
}
