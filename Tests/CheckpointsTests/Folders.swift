import FoundationEssentials
import Glibc
import Testing

@testable import Checkpoints

/// A folder of its own, removed with the value.
final class TemporaryFolder {
    let path: String

    init() {
        var template = Array("/tmp/primed-checkpoints-XXXXXX".utf8CString)
        path = template.withUnsafeMutableBufferPointer { String(cString: mkdtemp($0.baseAddress!)) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func write(_ name: String, _ bytes: [UInt8]) {
        let file = fopen("\(path)/\(name)", "w")!
        fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }

    func write(_ name: String, _ text: String) { write(name, Array(text.utf8)) }
}

/// A safetensors file whose every part can be made wrong.
struct TensorFile {
    struct Tensor {
        var type = "F32"
        var shape: [Int]
        var bytes: [UInt8]

        /// Fixed uneven numbers of -0.1 to 0.1 (SplitMix64).
        static func numbers(_ shape: [Int], seed: Int = 1) -> Tensor {
            var state = UInt64(seed) << 32
            return Tensor(
                shape: shape,
                values: (0..<shape.reduce(1, *)).map { _ in
                    state &+= 0x9e37_79b9_7f4a_7c15
                    var bits = (state ^ state >> 30) &* 0xbf58_476d_1ce4_e5b9
                    bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
                    return Float(Int32(truncatingIfNeeded: bits >> 32)) * 0x1p-31 * 0.1
                })
        }

        init(shape: [Int], values: [Float]) {
            self.shape = shape
            bytes = values.flatMap { value in withUnsafeBytes(of: value) { Array($0) } }
        }

        init(type: String, shape: [Int], halves: [UInt16]) {
            self.type = type
            self.shape = shape
            bytes = halves.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
        }
    }

    var tensors: [(name: String, tensor: Tensor)] = []

    subscript(name: String) -> Tensor? {
        get { tensors.first { $0.name == name }?.tensor }
        set {
            tensors.removeAll { $0.name == name }
            if let newValue { tensors.append((name, newValue)) }
        }
    }

    /// The file, its header rewritten by `change`.
    func bytes(_ change: (String) -> String = { $0 }) -> [UInt8] {
        var entries: [String] = []
        var numbers: [UInt8] = []
        for (name, tensor) in tensors {
            let end = numbers.count + tensor.bytes.count
            entries.append(
                #""\#(name)":{"dtype":"\#(tensor.type)","shape":\#(tensor.shape),"data_offsets":[\#(numbers.count),\#(end)]}"#
            )
            numbers += tensor.bytes
        }
        return Self.file(header: Array(change("{\(entries.joined(separator: ","))}").utf8), numbers: numbers)
    }

    static func file(header: [UInt8], length: UInt64? = nil, numbers: [UInt8]) -> [UInt8] {
        withUnsafeBytes(of: length ?? UInt64(header.count)) { Array($0) } + header + numbers
    }
}

/// A Llama of two layers with grouped heads, small enough to write for every test.
struct TinyModel {
    static let config = """
        {"architectures":["LlamaForCausalLM"],"model_type":"llama","hidden_size":8,"intermediate_size":12,
        "num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":2,"vocab_size":16,
        "rms_norm_eps":1e-5,"max_position_embeddings":64,"rope_theta":500000.0,"tie_word_embeddings":true,
        "bos_token_id":1,"eos_token_id":2,"hidden_act":"silu","attention_bias":false}
        """

    var configuration = config
    var weights: TensorFile

    init() {
        weights = TensorFile()
        weights["model.embed_tokens.weight"] = .numbers([16, 8])
        weights["model.norm.weight"] = .numbers([8])
        for layer in 0..<2 {
            let prefix = "model.layers.\(layer)"
            weights["\(prefix).input_layernorm.weight"] = .numbers([8])
            weights["\(prefix).post_attention_layernorm.weight"] = .numbers([8])
            for (path, shape) in Self.modules { weights["\(prefix).\(path).weight"] = .numbers(shape) }
        }
    }

    static let modules: [(String, [Int])] = [
        ("self_attn.q_proj", [8, 8]), ("self_attn.k_proj", [4, 8]), ("self_attn.v_proj", [4, 8]),
        ("self_attn.o_proj", [8, 8]), ("mlp.gate_proj", [12, 8]), ("mlp.up_proj", [12, 8]), ("mlp.down_proj", [8, 12]),
    ]

    func write(to folder: TemporaryFolder) {
        folder.write("config.json", configuration)
        folder.write("model.safetensors", weights.bytes())
    }

    static func shape() throws -> LlamaConfig {
        let folder = TemporaryFolder()
        folder.write("config.json", config)
        return try LlamaConfig(folder: folder.path)
    }
}

/// A PEFT adapter of the tiny model on q and v of both layers.
struct TinyAdapter {
    var configuration: String
    var weights: TensorFile

    static func name(_ layer: Int, _ module: String, _ half: String) -> String {
        "base_model.model.model.layers.\(layer).\(module).lora_\(half).weight"
    }

    init(rank: Int = 2, alpha: Int = 4, seed: Int = 1, modules: [String] = ["self_attn.q_proj", "self_attn.v_proj"]) {
        configuration = Self.configuration(rank: rank, alpha: alpha)
        weights = TensorFile()
        for layer in 0..<2 {
            for (path, shape) in TinyModel.modules where modules.contains(path) {
                weights[Self.name(layer, path, "A")] = .numbers([rank, shape[1]], seed: seed + layer)
                weights[Self.name(layer, path, "B")] = .numbers([shape[0], rank], seed: seed + layer + 50)
            }
        }
    }

    /// As PEFT writes it, its newest keys included; one member a line.
    private static func configuration(rank: Int, alpha: Int) -> String {
        """
        {"alora_invocation_tokens":null,
        "auto_mapping":null,
        "base_model_name_or_path":"some-other-name",
        "bias":"none",
        "eva_config":null,
        "fan_in_fan_out":false,
        "inference_mode":true,
        "init_lora_weights":true,
        "layer_replication":null,
        "loftq_config":{},
        "lora_alpha":\(alpha),
        "lora_bias":false,
        "lora_dropout":0.05,
        "megatron_core":"megatron.core",
        "modules_to_save":null,
        "peft_type":"LORA",
        "peft_version":"0.21.2",
        "qalora_group_size":16,
        "r":\(rank),
        "revision":null,
        "target_modules":"all-linear",
        "target_parameters":null,
        "task_type":"CAUSAL_LM",
        "trainable_token_indices":null,
        "use_dora":false,
        "use_qalora":false}
        """
    }

    /// Gives the member `name` another value, or adds it.
    mutating func configure(_ name: String, _ value: String) {
        let members = configuration.dropFirst().dropLast().split(separator: ",\n")
        let others = members.filter { !$0.hasPrefix("\"\(name)\":") }
        configuration = "{" + (others + ["\"\(name)\":\(value)"]).joined(separator: ",\n") + "}"
    }

    func write(to folder: TemporaryFolder) {
        folder.write("adapter_config.json", configuration)
        folder.write("adapter_model.safetensors", weights.bytes())
    }

    /// The adapter read back.
    func read() throws -> Adapter {
        let folder = TemporaryFolder()
        write(to: folder)
        return try Adapter(folder.path, for: TinyModel.shape())
    }
}

/// Runs `body`, which must throw a CheckpointError of `code` that says `words`.
func expect(
    _ code: CheckpointError.Code, saying words: String, sourceLocation: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
) {
    do {
        try body()
        Issue.record("nothing was thrown", sourceLocation: sourceLocation)
    } catch let error as CheckpointError {
        #expect(error.code == code, "\(error)", sourceLocation: sourceLocation)
        #expect(error.description.contains(words), "\(error)", sourceLocation: sourceLocation)
        #expect(!error.remedy.isEmpty, sourceLocation: sourceLocation)
    } catch {
        Issue.record(error, sourceLocation: sourceLocation)
    }
}
