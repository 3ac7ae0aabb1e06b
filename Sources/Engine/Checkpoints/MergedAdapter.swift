import FoundationEssentials
import Posix

/// How adapters are merged.
public enum Merge: String, Codable, Sendable, CaseIterable {
    /// The paper's Eq. 2: the weight gains sum_s w_s B_s A_s. Exact at rank sum r.
    case delta
    /// The authors' code: A = sum_s w_s A_s, B = sum_s w_s B_s at rank r, cross terms included.
    case factors
}

/// Adapters merged by weights, in float32: rounding w B to the sharers' bf16 would ship another model than was scored.
public struct MergedAdapter: Sendable {
    /// One pair of matrices; the scale is in B.
    public struct Pair: Sendable, Equatable {
        /// `[rank, in]`
        public var a: [Float]
        /// `[out, rank]`
        public var b: [Float]
    }

    public let merge: Merge
    /// The same for every module: consumers do not read rank_pattern.
    public let rank: Int
    public let pairs: [AdapterSite: Pair]
    let shapes: [AdapterSite: (out: Int, input: Int)]

    /// Merges `adapters` of one base.
    ///
    /// - Parameter weights: `[1][k]` for all layers, or `[layers][k]`. A weight of 0 leaves nothing of its sharer behind.
    public init(_ adapters: [Adapter], weights: [[Float]], merge: Merge, config: LlamaConfig) {
        precondition(weights.count == 1 || weights.count == config.layers, "one row of weights, or one a layer")
        self.merge = merge
        let ranks = adapters.map(\.rank)
        rank = merge == .delta ? ranks.reduce(0, +) : ranks.max() ?? 0
        var pairs: [AdapterSite: Pair] = [:]
        var shapes: [AdapterSite: (out: Int, input: Int)] = [:]
        for site in Set(adapters.flatMap(\.pairs.keys)) {
            let shape = config.shape(of: site.module)
            let row = weights.count == 1 ? weights[0] : weights[site.layer]
            var pair = Pair(
                a: Array(repeating: 0, count: rank * shape.input), b: Array(repeating: 0, count: shape.out * rank))
            var slot = 0
            for (index, adapter) in adapters.enumerated() {
                if let low = adapter.pairs[site], row[index] != 0 {
                    // In "delta" the weight stands in B alone, in "factors" in both.
                    Self.add(
                        low, weightA: merge == .delta ? 1 : row[index], weightB: row[index], at: slot, rank: rank,
                        to: &pair)
                }
                if merge == .delta { slot += ranks[index] }
            }
            pairs[site] = pair
            shapes[site] = shape
        }
        self.pairs = pairs
        self.shapes = shapes
    }

    private static func add(
        _ low: LowRankPair, weightA: Float, weightB: Float, at slot: Int, rank: Int, to pair: inout Pair
    ) {
        let a = low.a.floats()
        let b = low.b.floats()
        let input = low.a.shape[1]
        for index in a.indices { pair.a[slot * input + index] += weightA * a[index] }
        for out in 0..<low.b.shape[0] {
            for column in 0..<low.rank {
                pair.b[out * rank + slot + column] += weightB * low.scale * b[out * low.rank + column]
            }
        }
    }

    /// The adapter as a PEFT folder's files, by name; equal adapters give equal bytes.
    ///
    /// - Parameters:
    ///   - baseName: what the adapter must be loaded onto, as PEFT's `base_model_name_or_path`.
    ///   - card: the model card, Markdown; never with text of a history.
    public func files(baseName: String, card: String) throws(CheckpointError) -> [(name: String, bytes: [UInt8])] {
        var tensors: [Safetensors.Entry] = []
        for site in pairs.keys.sorted() {
            let shape = shapes[site]!
            tensors.append(.init("\(site.peftName).lora_A.weight", [rank, shape.input], pairs[site]!.a))
            tensors.append(.init("\(site.peftName).lora_B.weight", [shape.out, rank], pairs[site]!.b))
        }
        for tensor in tensors where !tensor.values.allSatisfy(\.isFinite) {
            throw CheckpointError(
                .notFinite, tensor.name, found: "NaN or infinity in the merge", remedy: "lower the weights' bound")
        }
        return [
            ("README.md", Array(card.utf8)),
            ("adapter_config.json", try configuration(baseName: baseName)),
            ("adapter_model.safetensors", Safetensors.encoded(tensors)),
        ]
    }

    private func configuration(baseName: String) throws(CheckpointError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let modules = Set(pairs.keys.map(\.module)).sorted().map(\.rawValue)
        do {
            return Array(try encoder.encode(PEFTConfig(baseName: baseName, rank: rank, modules: modules))) + [0x0a]
        } catch {
            throw CheckpointError(
                .unwritable, "adapter_config.json", found: "a name that JSON cannot hold", remedy: "rename the base")
        }
    }
}

/// The small, old subset of PEFT's configuration: older readers abort on unknown keys, newer ones fill in the rest.
/// lora_alpha equals r, so that no reader can scale the adapter wrongly.
private struct PEFTConfig: Encodable {
    let baseName: String
    let rank: Int
    let modules: [String]

    enum CodingKeys: String, CodingKey {
        case alpha_pattern, base_model_name_or_path, bias, fan_in_fan_out, inference_mode, init_lora_weights, lora_alpha
        case lora_dropout, modules_to_save, peft_type, r, rank_pattern, revision, target_modules, task_type, use_dora
        case use_rslora
    }

    func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode([String: Int](), forKey: .alpha_pattern)
        try fields.encode(baseName, forKey: .base_model_name_or_path)
        try fields.encode("none", forKey: .bias)
        try fields.encode(false, forKey: .fan_in_fan_out)
        try fields.encode(true, forKey: .inference_mode)
        try fields.encode(true, forKey: .init_lora_weights)
        try fields.encode(rank, forKey: .lora_alpha)
        try fields.encode(0, forKey: .lora_dropout)
        try fields.encodeNil(forKey: .modules_to_save)
        try fields.encode("LORA", forKey: .peft_type)
        try fields.encode(rank, forKey: .r)
        try fields.encode([String: Int](), forKey: .rank_pattern)
        try fields.encodeNil(forKey: .revision)
        try fields.encode(modules, forKey: .target_modules)
        try fields.encode("CAUSAL_LM", forKey: .task_type)
        try fields.encode(false, forKey: .use_dora)
        try fields.encode(false, forKey: .use_rslora)
    }
}
