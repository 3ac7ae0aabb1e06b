import Digest
import JSON
import Posix

/// A Hugging Face model folder: configuration and mapped weights, all of it checked before this value exists.
public struct ModelFolder: Sendable {
    public let path: String
    public let config: LlamaConfig
    /// SHA-256 over config.json, the tokens that end a text and every tensor's name, type, shape and first and last numbers,
    /// so that it costs nothing on a large model: it tells apart what a training run tells apart, it is no proof of every
    /// byte.
    public let fingerprint: String
    private let tensors: [String: StoredTensor]

    /// Opens `path`; checks names, shapes, types, and that every number is finite.
    ///
    /// The last reads the weights once, as fast as `cat` does, and leaves them in the page cache but not in the
    /// process's memory (no more than the largest tensor at a time).
    public init(_ path: String) throws(CheckpointError) {
        self.path = path
        let found = try Self.names(in: path)
        guard found.contains("config.json") else {
            if found.contains("params.json") {
                throw CheckpointError(
                    .unsupported, path, found: "Meta's own layout (params.json, consolidated.*.pth)",
                    remedy: "convert it with transformers' convert_llama_weights_to_hf.py; a pickle is never executed")
            }
            throw CheckpointError(
                .unreadable, path, found: "no config.json", remedy: "give a Hugging Face model folder")
        }
        config = try LlamaConfig(folder: path)
        let files = try Self.weightFiles(in: path, found: found)
        var tensors: [String: StoredTensor] = [:]
        for name in files {
            let file = try Safetensors("\(path)/\(name)")
            for tensor in file.names where !tensor.hasSuffix(".rotary_emb.inv_freq") {
                guard tensors.updateValue(file[tensor]!, forKey: tensor) == nil else {
                    throw CheckpointError(
                        .contradiction, "\(path)/\(name): \(printable(tensor))", found: "a second tensor of that name",
                        remedy: "keep one of the files that have it")
                }
            }
        }
        if config.tiedEmbeddings { tensors["lm_head.weight"] = nil }
        try Self.check(tensors, config, path)
        self.tensors = tensors
        fingerprint = try Self.fingerprint(of: tensors, config, path)
    }

    /// `[vocabulary, hidden]`
    public var embedding: StoredTensor { tensors["model.embed_tokens.weight"]! }
    /// `[hidden]`
    public var finalNorm: StoredTensor { tensors["model.norm.weight"]! }
    /// `[vocabulary, hidden]`; the embedding itself where the two are tied.
    public var head: StoredTensor { tensors["lm_head.weight"] ?? embedding }
    /// `[hidden]`
    public func attentionNorm(_ layer: Int) -> StoredTensor { tensors["model.layers.\(layer).input_layernorm.weight"]! }
    /// `[hidden]`
    public func feedForwardNorm(_ layer: Int) -> StoredTensor {
        tensors["model.layers.\(layer).post_attention_layernorm.weight"]!
    }
    /// `[out, in]`
    public func linear(_ layer: Int, _ module: LinearModule) -> StoredTensor {
        tensors["model.layers.\(layer).\(module.path).weight"]!
    }

    /// Numbers of all tensors; a tied head counts once.
    public var parameterCount: Int { tensors.values.reduce(0) { $0 + $1.count } }
    /// Bytes of all weights as stored.
    public var byteCount: Int { tensors.values.reduce(0) { $0 + $1.bytes.count } }

    private static func names(in path: String) throws(CheckpointError) -> Set<String> {
        // A model's folder may itself be a link; the files in it may not.
        do { return Set(try Files.list("\(path)/.")) } catch {
            throw CheckpointError(
                error.mayPass ? .unavailable : .unreadable, path, found: error.reason, remedy: "give a model folder")
        }
    }

    /// The safetensors files: those that the index names, and those that it leaves out.
    private static func weightFiles(in path: String, found: Set<String>) throws(CheckpointError) -> [String] {
        let files = found.filter { $0.hasSuffix(".safetensors") && !$0.hasPrefix(".") }
        let index = "model.safetensors.index.json"
        if found.contains(index) {
            let place = "\(path)/\(index): weight_map"
            guard let map = try readJSON("\(path)/\(index)").fields("weight_map") else {
                throw CheckpointError(
                    .malformed, place, found: "nothing", remedy: "give each tensor's file, or remove the index")
            }
            for name in Set(try map.texts().map(\.text)).sorted() {
                guard !name.utf8.contains(UInt8(ascii: "/")), name != "..", !name.utf8.contains(0) else {
                    throw CheckpointError(
                        .escape, place, found: "the file \(printable(name))",
                        remedy: "name files in the model's own folder")
                }
                guard files.contains(name) else {
                    throw CheckpointError(
                        .unreadable, place, found: "\(printable(name)), which is not there",
                        remedy: "copy the missing shard")
                }
            }
        }
        guard !files.isEmpty else {
            let pickled = found.contains { $0.hasSuffix(".bin") || $0.hasSuffix(".pth") || $0.hasSuffix(".pt") }
            throw CheckpointError(
                .unreadable, path, found: pickled ? "pickled weights only" : "no .safetensors file",
                remedy: "save the model as safetensors; a pickle is never executed")
        }
        return files.sorted()
    }

    private static func check(
        _ tensors: [String: StoredTensor], _ config: LlamaConfig, _ path: String
    ) throws(CheckpointError) {
        var expected: [String: [Int]] = [
            "model.embed_tokens.weight": [config.vocabulary, config.hiddenSize],
            "model.norm.weight": [config.hiddenSize],
        ]
        if !config.tiedEmbeddings { expected["lm_head.weight"] = [config.vocabulary, config.hiddenSize] }
        for layer in 0..<config.layers {
            let prefix = "model.layers.\(layer)"
            expected["\(prefix).input_layernorm.weight"] = [config.hiddenSize]
            expected["\(prefix).post_attention_layernorm.weight"] = [config.hiddenSize]
            for module in LinearModule.allCases {
                let shape = config.shape(of: module)
                expected["\(prefix).\(module.path).weight"] = [shape.out, shape.input]
            }
        }
        for name in expected.keys.sorted() {
            guard let tensor = tensors[name] else {
                throw CheckpointError(
                    .missingTensor, "\(path): \(name)", found: "nothing",
                    remedy: "config.json asks for it; copy the missing file or correct the configuration")
            }
            guard tensor.shape == expected[name] else {
                throw CheckpointError(
                    .wrongShape, tensor.place, found: "shape \(tensor.shape)",
                    remedy: "config.json asks for \(expected[name]!)")
            }
        }
        for name in tensors.keys.sorted() {
            guard expected[name] != nil else {
                throw CheckpointError(
                    .unknownTensor, "\(path): \(printable(name))", found: "a tensor that no Llama has",
                    remedy: "remove it, or correct config.json")
            }
            let tensor = tensors[name]!
            defer { tensor.releasePages() }
            guard tensor.isFinite else {
                throw CheckpointError(
                    .notFinite, tensor.place, found: "NaN or infinity", remedy: "take a sound checkpoint")
            }
        }
    }

    private static func fingerprint(
        of tensors: [String: StoredTensor], _ config: LlamaConfig, _ path: String
    ) throws(CheckpointError) -> String {
        var hash = SHA256()
        try map("\(path)/config.json").withBytes { hash.add($0) }
        hash.add(Array("\(config.eos)\n".utf8))
        for name in tensors.keys.sorted() {
            let tensor = tensors[name]!
            hash.add(Array("\(name) \(tensor.type.rawValue) \(tensor.shape)\n".utf8))
            tensor.withBytes {
                hash.add(UnsafeRawBufferPointer(rebasing: $0.prefix(256)))
                hash.add(UnsafeRawBufferPointer(rebasing: $0.suffix(256)))
            }
        }
        return hash.hexadecimal()
    }
}
