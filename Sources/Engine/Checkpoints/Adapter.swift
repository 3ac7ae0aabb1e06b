import Digest
import JSON

/// Where in a model an adapter's pair sits.
public struct AdapterSite: Hashable, Sendable, Comparable {
    public let layer: Int
    public let module: LinearModule

    public init(layer: Int, module: LinearModule) {
        self.layer = layer
        self.module = module
    }

    /// PEFT's name of the module, without `lora_A.weight`.
    public var peftName: String { "base_model.model.model.layers.\(layer).\(module.path)" }

    public static func < (left: AdapterSite, right: AdapterSite) -> Bool {
        (left.layer, left.module) < (right.layer, right.module)
    }
}

/// One LoRA pair: the module's weight gains `scale * b a`.
public struct LowRankPair: Sendable {
    /// `[rank, in]`
    public let a: StoredTensor
    /// `[out, rank]`
    public let b: StoredTensor
    /// Of this pair alone: rank_pattern may set it apart from `r`.
    public let rank: Int
    /// lora_alpha / r, or lora_alpha / sqrt r with use_rslora.
    public let scale: Float
}

/// A PEFT LoRA adapter of a Llama model, mapped and checked against the model's shape.
public struct Adapter: Sendable {
    /// The adapter's folder.
    public let path: String
    /// At least one; all numbers are finite.
    public let pairs: [AdapterSite: LowRankPair]

    /// The largest rank of any pair.
    public var rank: Int { pairs.values.reduce(0) { max($0, $1.rank) } }

    /// Reads adapter_config.json and adapter_model.safetensors in `folder`.
    ///
    /// What primed does not have (DoRA, biases, saved modules, embedding adapters) is refused by name; the tensors, not
    /// `target_modules`, say where the adapter sits.
    public init(_ folder: String, for config: LlamaConfig) throws(CheckpointError) {
        path = folder
        let settings = try AdapterConfig(folder: folder)
        let weights = "\(folder)/adapter_model.safetensors"
        if try !isPresent(weights), try isPresent("\(folder)/adapter_model.bin") {
            throw CheckpointError(
                .unsupported, "\(folder)/adapter_model.bin", found: "pickled weights",
                remedy: "save the adapter as safetensors; a pickle is never executed")
        }
        let file = try Safetensors(weights)
        var halves: [AdapterSite: (a: StoredTensor?, b: StoredTensor?)] = [:]
        for name in file.names {
            let tensor = file[name]!
            guard let (site, isA) = Self.site(of: name) else {
                throw CheckpointError(
                    .unknownTensor, tensor.place, found: Self.reason(name),
                    remedy: "primed merges lora_A and lora_B of Llama's linear modules only")
            }
            guard site.layer < config.layers else {
                throw CheckpointError(
                    .wrongShape, tensor.place, found: "layer \(site.layer)",
                    remedy: "the base has \(config.layers) layers; give adapters of this base")
            }
            if isA {
                halves[site, default: (nil, nil)].a = tensor
            } else {
                halves[site, default: (nil, nil)].b = tensor
            }
        }
        guard !halves.isEmpty else {
            throw CheckpointError(.missingTensor, file.path, found: "no LoRA matrix", remedy: "give a trained adapter")
        }
        var pairs: [AdapterSite: LowRankPair] = [:]
        for site in halves.keys.sorted() {
            pairs[site] = try Self.pair(site, halves[site]!, settings, config, file.path)
        }
        self.pairs = pairs
    }

    /// SHA-256 of the adapter's weights file and of what its configuration makes of them, as they were when they were read, in
    /// hexadecimal digits.
    public func digest() -> String {
        var hash = SHA256()
        pairs.values.first!.a.file.withBytes { hash.add($0) }
        for site in pairs.keys.sorted() { hash.add(Array("\(site.peftName) \(pairs[site]!.scale)\n".utf8)) }
        return hash.hexadecimal()
    }

    private static func pair(
        _ site: AdapterSite, _ half: (a: StoredTensor?, b: StoredTensor?), _ settings: AdapterConfig,
        _ config: LlamaConfig, _ path: String
    ) throws(CheckpointError) -> LowRankPair {
        let place = "\(path): \(site.peftName)"
        guard let a = half.a, let b = half.b else {
            throw CheckpointError(
                .missingTensor, place, found: half.a == nil ? "lora_B without lora_A" : "lora_A without lora_B",
                remedy: "save the adapter again")
        }
        let shape = config.shape(of: site.module)
        let rank = settings.rank(of: site)
        guard a.shape == [rank, shape.input], b.shape == [shape.out, rank] else {
            throw CheckpointError(
                .wrongShape, place, found: "lora_A \(a.shape) and lora_B \(b.shape)",
                remedy: "rank \(rank) on this base needs [\(rank), \(shape.input)] and [\(shape.out), \(rank)]")
        }
        for tensor in [a, b] where !tensor.isFinite {
            throw CheckpointError(
                .notFinite, tensor.place, found: "NaN or infinity", remedy: "give an adapter whose training converged")
        }
        return LowRankPair(a: a, b: b, rank: rank, scale: settings.scale(of: site, rank: rank))
    }

    /// Takes `base_model.model.model.layers.N.self_attn.q_proj.lora_A.weight` apart; nil for any other name.
    private static func site(of name: String) -> (AdapterSite, isA: Bool)? {
        let prefix = "base_model.model.model.layers."
        guard name.hasPrefix(prefix) else { return nil }
        let parts = name.dropFirst(prefix.count).split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[4] == "weight", let layer = Int(parts[0]), (0..<(1 << 16)).contains(layer),
            "\(layer)" == parts[0], let module = LinearModule(rawValue: String(parts[2])),
            module.path == "\(parts[1]).\(parts[2])", parts[3] == "lora_A" || parts[3] == "lora_B"
        else { return nil }
        return (AdapterSite(layer: layer, module: module), parts[3] == "lora_A")
    }

    private static func reason(_ name: String) -> String {
        if name.contains("lora_magnitude_vector") { return "a DoRA magnitude" }
        if name.contains("lora_embedding") { return "an embedding adapter" }
        if name.contains("modules_to_save") || name.contains("lm_head") || name.contains("embed_tokens") {
            return "a module that was saved whole"
        }
        if name.hasSuffix(".bias") { return "a bias" }
        return "a tensor that no Llama adapter has"
    }
}
