/// adapter_config.json, as far as it changes what the tensors mean.
struct AdapterConfig {
    let rank: Int
    let alpha: Double
    let rankStabilised: Bool
    /// In the file's order of keys as PEFT looks them up: the first pattern that matches wins; sorted, since JSON
    /// objects have no order and two patterns that match one module are refused.
    private let rankPattern: [(String, Double)]
    private let alphaPattern: [(String, Double)]
    private let path: String

    /// Keys that mean nothing to a merge, whatever their value.
    private static let harmless: Set<String> = [
        "auto_mapping", "base_model_name_or_path", "revision", "inference_mode", "init_lora_weights", "lora_dropout",
        "peft_type", "peft_version", "r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern", "task_type",
        "target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "loftq_config", "eva_config",
        "corda_config", "lora_ga_config", "megatron_config", "megatron_core", "qalora_group_size", "runtime_config",
    ]

    init(folder: String) throws(CheckpointError) {
        let path = "\(folder)/adapter_config.json"
        let fields = try readJSON([String: JSONValue].self, path, limit: 1 << 20)
        self.path = path
        guard fields["peft_type"] == .string("LORA") else {
            throw CheckpointError(
                .unsupported, "\(path): peft_type", found: fields["peft_type"].map { "\($0)" } ?? "nothing",
                remedy: "primed merges LORA adapters")
        }
        for (key, value) in fields.sorted(by: { $0.key < $1.key })
        where !Self.harmless.contains(key) && !value.isNothing && !(key == "bias" && value == .string("none")) {
            throw CheckpointError(
                .unsupported, "\(path): \(printable(key))", found: "a value that changes what the adapter means",
                remedy: "primed merges plain LoRA; train without \(printable(key))")
        }
        guard case .number(let rank)? = fields["r"], rank >= 1, rank <= 4096, rank == rank.rounded() else {
            throw CheckpointError(
                .malformed, "\(path): r", found: "no rank of 1 to 4096", remedy: "save the adapter again")
        }
        guard case .number(let alpha)? = fields["lora_alpha"], alpha.isFinite, abs(alpha) <= 1e6 else {
            throw CheckpointError(
                .malformed, "\(path): lora_alpha", found: "no finite number", remedy: "save the adapter again")
        }
        self.rank = Int(rank)
        self.alpha = alpha
        rankStabilised = fields["use_rslora"] == .bool(true)
        rankPattern = try Self.pattern(fields["rank_pattern"], "\(path): rank_pattern", 1...4096)
        alphaPattern = try Self.pattern(fields["alpha_pattern"], "\(path): alpha_pattern", -1e6...1e6)
        for site in LinearModule.allCases.map({ AdapterSite(layer: 0, module: $0) }) {
            for (name, pattern) in [("rank_pattern", rankPattern), ("alpha_pattern", alphaPattern)]
            where Set(pattern.filter { Self.matches($0.0, site) }.map(\.1)).count > 1 {
                throw CheckpointError(
                    .contradiction, "\(path): \(name)", found: "two patterns for \(site.module.rawValue)",
                    remedy: "keep one")
            }
        }
    }

    func rank(of site: AdapterSite) -> Int {
        rankPattern.first { Self.matches($0.0, site) }.map { Int($0.1) } ?? rank
    }

    func scale(of site: AdapterSite, rank: Int) -> Float {
        let alpha = alphaPattern.first { Self.matches($0.0, site) }?.1 ?? alpha
        return Float(rankStabilised ? alpha / Double(rank).squareRoot() : alpha / Double(rank))
    }

    private static func pattern(
        _ value: JSONValue?, _ place: String, _ bounds: ClosedRange<Double>
    ) throws(CheckpointError) -> [(String, Double)] {
        guard let value, !value.isNothing else { return [] }
        guard case .object(let entries) = value else {
            throw CheckpointError(.malformed, place, found: "no object", remedy: "give module names and numbers")
        }
        var pattern: [(String, Double)] = []
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            guard case .number(let number) = entry, bounds.contains(number) else {
                throw CheckpointError(
                    .malformed, "\(place).\(printable(name))", found: "no number in range",
                    remedy: "give a number of \(bounds.lowerBound) to \(bounds.upperBound)")
            }
            let plain = name.hasPrefix("^") ? name.dropFirst() : name[...]
            guard plain.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ".") }) else {
                throw CheckpointError(
                    .unsupported, "\(place).\(printable(name))", found: "a regular expression",
                    remedy: "name modules plainly: q_proj or model.layers.0.self_attn.q_proj")
            }
            pattern.append((name, number))
        }
        return pattern
    }

    /// PEFT matches a key as `(.*\.)?(key)$` against the module's full name: the whole name or an end of it after a dot.
    private static func matches(_ key: String, _ site: AdapterSite) -> Bool {
        let name = "model.layers.\(site.layer).\(site.module.path)"
        if key.hasPrefix("^") { return name == key.dropFirst() }
        return name == key || name.hasSuffix(".\(key)")
    }
}
