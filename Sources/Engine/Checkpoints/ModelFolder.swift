import Glibc
import Posix

/// A Hugging Face model folder: configuration and mapped weights, all of it checked before this value exists.
public struct ModelFolder: Sendable {
    public let path: String
    public let config: LlamaConfig
    /// FNV-1a over the configuration's file and every weight file's header and length: the same folder, the same
    /// fingerprint; it tells models apart, it does not prove anything.
    public let fingerprint: String
    private let tensors: [String: StoredTensor]

    /// Opens `path`; checks names, shapes, types, and that every number is finite (one read of the weights).
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
        var hash = Fingerprint()
        try hash.add(file: "\(path)/config.json")
        for name in files {
            let file = try Safetensors("\(path)/\(name)")
            hash.add(file)
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
        fingerprint = hash.text
    }

    public func tensor(_ name: String) throws(CheckpointError) -> StoredTensor {
        guard let tensor = tensors[name] else {
            throw CheckpointError(.missingTensor, "\(path): \(name)", found: "nothing", remedy: "add it")
        }
        return tensor
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

    /// Bytes of all weights as stored.
    public var byteCount: Int { tensors.values.reduce(0) { $0 + $1.bytes.count } }

    private static func names(in path: String) throws(CheckpointError) -> Set<String> {
        guard let folder = opendir(path) else {
            throw CheckpointError(
                .unreadable, path, found: String(cString: strerror(errno)), remedy: "give a model folder")
        }
        defer { closedir(folder) }
        var names: Set<String> = []
        while let entry = readdir(folder) {
            names.insert(
                withUnsafeBytes(of: &entry.pointee.d_name) {
                    String(cString: $0.bindMemory(to: CChar.self).baseAddress!)
                })
        }
        return names
    }

    /// The safetensors files: those that the index names, and those that it leaves out.
    private static func weightFiles(in path: String, found: Set<String>) throws(CheckpointError) -> [String] {
        let files = found.filter { $0.hasSuffix(".safetensors") && !$0.hasPrefix(".") }
        let index = "model.safetensors.index.json"
        if found.contains(index) {
            let map = try readJSON(IndexFile.self, "\(path)/\(index)", limit: 64 << 20).weight_map
            for name in Set(map.values).sorted() {
                guard !name.contains("/"), name != "..", !name.contains("\0") else {
                    throw CheckpointError(
                        .escape, "\(path)/\(index): weight_map", found: "the file \(printable(name))",
                        remedy: "name files in the model's own folder")
                }
                guard files.contains(name) else {
                    throw CheckpointError(
                        .unreadable, "\(path)/\(index): weight_map", found: "\(printable(name)), which is not there",
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
            guard tensors[name]!.isFinite else {
                throw CheckpointError(
                    .notFinite, tensors[name]!.place, found: "NaN or infinity", remedy: "take a sound checkpoint")
            }
        }
    }
}

/// model.safetensors.index.json
private struct IndexFile: Decodable {
    let weight_map: [String: String]
}

/// FNV-1a, 64 bits.
private struct Fingerprint {
    private var hash: UInt64 = 0xcbf2_9ce4_8422_2325

    var text: String {
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    mutating func add(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    }

    mutating func add(file path: String) throws(CheckpointError) {
        do {
            add(try MappedFile(path, followLinks: false).contents)
        } catch {
            throw CheckpointError(.unreadable, path, found: error.description, remedy: "give a regular file")
        }
    }

    mutating func add(_ file: Safetensors) {
        for name in file.names {
            let tensor = file[name]!
            add(name.utf8)
            add("\(tensor.type)\(tensor.shape)\(tensor.range)".utf8)
            // The first numbers tell fine-tunes of one shape apart.
            withExtendedLifetime(tensor) { add(Array(tensor.bytes.prefix(256))) }
        }
    }
}
