import Checkpoints
import Glibc
import JSON
import Manifest
import Tokenizers

/// Feeds bytes to a reader and uses whatever it made of them: the one entry of the fuzzer and of its corpus' replay.
///
/// Out-of-bounds accesses and overflows trap by themselves; what else must hold of an accepted file, and of the words
/// with which another one is refused, is checked here.
public final class Feeder {
    /// Where the readers that take a path find their files.
    private let folder: String
    private let shape = LlamaConfig(
        hiddenSize: 8, intermediateSize: 12, layers: 2, heads: 4, kvHeads: 2, headDim: 2, vocabulary: 16)

    public init() {
        let parent = getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
        var template = Array("\(parent)/primed-fuzz-XXXXXX".utf8CString)
        folder = template.withUnsafeMutableBufferPointer { buffer in
            guard mkdtemp(buffer.baseAddress!) != nil else { fatalError("no folder below \(parent)") }
            return String(cString: buffer.baseAddress!)
        }
    }

    deinit {
        for name in ["config", "generation_config", "adapter_config", "model.safetensors.index"] {
            unlink("\(folder)/\(name).json")
        }
        for name in ["model", "adapter_model"] { unlink("\(folder)/\(name).safetensors") }
        rmdir(folder)
    }

    /// Whether `reader` accepts `bytes`.
    public func feed(_ bytes: [UInt8], to reader: Reader) throws(Surprise) -> Bool {
        do {
            switch reader {
            case .manifest: return try manifests(bytes)
            case .safetensors: try safetensors(bytes)
            case .tokenizer: try tokenizer(bytes, "tokenizer.json")
            case .sentencepiece: try tokenizer(bytes, "tokenizer.model")
            case .config: try config(bytes)
            case .adapter: try adapter(bytes)
            }
            return true
        } catch let surprise as Surprise {
            throw surprise
        } catch {
            try checkWords(of: error)
            return false
        }
    }

    /// A refusal goes to terminals, logs and pages: it is short, and nothing in it moves a cursor or turns text around.
    private func checkWords(of error: any Error) throws(Surprise) {
        let words = "\(error)"
        try require(!words.isEmpty && words.utf8.count < 1 << 17, "a refusal of \(words.utf8.count) bytes")
        for scalar in words.unicodeScalars where scalar != "\n" {
            let category = scalar.properties.generalCategory
            try require(
                category != .control && category != .format,
                "U+\(String(scalar.value, radix: 16)) in the refusal \(words.debugDescription)")
        }
    }

    private func write(_ name: String, _ bytes: [UInt8]) {
        guard let file = fopen("\(folder)/\(name)", "w") else { fatalError("cannot write \(folder)/\(name)") }
        guard fwrite(bytes, 1, bytes.count, file) == bytes.count, fclose(file) == 0 else { fatalError("cannot write") }
    }

    // MARK: - Manifests

    /// Every reader of JSON that people and systems write; a file is accepted if one of them accepts it.
    private func manifests(_ bytes: [UInt8]) throws -> Bool {
        var accepted = false
        func attempt(_ read: () throws -> Void) throws {
            do {
                try read()
                accepted = true
            } catch let surprise as Surprise {
                throw surprise
            } catch {
                try checkWords(of: error)
            }
        }
        try attempt { try check(try JobManifest(bytes, file: "job.json")) }
        try attempt {
            let pool = try PoolManifest(bytes, file: "pool.json")
            for member in pool.members {
                try require(isPlainID(member.id) && isPathBelow(member.adapter), "a member \(member)")
                _ = member.isUsable(on: "2026-11-20")
            }
        }
        try attempt {
            let site = try Configuration(bytes, file: "primed.json5", folder: "/etc/primed")
            try require(!site.settings.isEmpty && !site.devices.isEmpty, "a site without settings")
        }
        for json5 in [false, true] {
            try attempt {
                var reader = try JSONReader(bytes, file: "users.json", json5: json5)
                while let value = try reader.next() { try check(value) }
            }
        }
        return accepted
    }

    private func check(_ job: JobManifest) throws {
        for companion in job.companions {
            try require(isPathBelow(companion.name), "\(companion.field) outside: \(companion.name)")
        }
        if let id = job.id { try require(isPlainID(id), "the id \(id)") }
        guard case .list(let targets) = job.targets else { return }
        for target in targets {
            try require(isUserID(target.user), "the user \(target.user)")
            for case .inline(let text)? in [target.history, target.queries] {
                var reader = try JSONReader(text, file: "inline")
                try check(try reader.document())
            }
        }
    }

    /// What is written of a value reads as that value.
    private func check(_ value: JSONValue) throws {
        var reader = try JSONReader(value.encoded, file: "written")
        try require(try reader.document() == value, "another value when written and read again")
        _ = value.text
    }

    // MARK: - Checkpoints

    private func safetensors(_ bytes: [UInt8]) throws {
        write("model.safetensors", bytes)
        let file = try Safetensors("\(folder)/model.safetensors")
        var entries: [Safetensors.Entry] = []
        for name in file.names {
            guard let tensor = file[name] else { throw Surprise(description: "a name without a tensor") }
            entries.append(.init(name, tensor.shape, try numbers(of: tensor)))
        }
        write("adapter_model.safetensors", Safetensors.encoded(entries))
        let copy = try Safetensors("\(folder)/adapter_model.safetensors")
        for entry in entries {
            guard let tensor = copy[entry.name] else { throw Surprise(description: "a tensor lost when written") }
            let same = zip(tensor.floats(), entry.values).allSatisfy { $0.bitPattern == $1.bitPattern }
            try require(tensor.shape == entry.shape && same, "other numbers when written and read again")
        }
    }

    private func numbers(of tensor: StoredTensor) throws(Surprise) -> [Float] {
        let numbers = tensor.floats()
        let sum = tensor.withBytes { $0.reduce(0) { $0 &+ Int($1) } }
        tensor.releasePages()
        try require(tensor.withBytes { $0.reduce(0) { $0 &+ Int($1) } } == sum, "other bytes after a release")
        try require(numbers.count == tensor.shape.reduce(1, *), "\(numbers.count) numbers for \(tensor.shape)")
        return numbers
    }

    private func config(_ bytes: [UInt8]) throws {
        let parts = Reader.parts(bytes, 3)
        write("model.safetensors", Self.weights)
        for (index, name) in ["config", "generation_config", "model.safetensors.index"].enumerated() {
            if index < parts.count { write("\(name).json", parts[index]) } else { unlink("\(folder)/\(name).json") }
        }
        let config = try LlamaConfig(folder: folder)
        let frequencies = config.rotaryFrequencies
        try require(frequencies.count == config.headDim / 2, "\(frequencies.count) frequencies")
        try require(frequencies.allSatisfy { $0.isFinite && $0 > 0 }, "frequencies \(frequencies)")
        for module in LinearModule.allCases {
            let shape = config.shape(of: module)
            try require(shape.out > 0 && shape.input > 0, "\(module) of \(shape)")
        }
        let model = try ModelFolder(folder)
        try require(model.parameterCount > 0 && model.byteCount > 0, "no parameters")
        for layer in 0..<model.config.layers { _ = try numbers(of: model.linear(layer, .down)) }
        _ = try numbers(of: model.head)
    }

    private func adapter(_ bytes: [UInt8]) throws {
        let parts = Reader.parts(bytes, 2)
        write("adapter_config.json", parts[0])
        write("adapter_model.safetensors", parts.count > 1 ? parts[1] : [])
        let adapter = try Adapter(folder, for: shape)
        try require(!adapter.pairs.isEmpty && adapter.rank > 0, "an adapter of nothing")
        for (site, pair) in adapter.pairs {
            try require((0..<shape.layers).contains(site.layer), "layer \(site.layer)")
            try require(pair.scale.isFinite, "a scale of \(pair.scale)")
            let (a, b) = (try numbers(of: pair.a), try numbers(of: pair.b))
            let size = shape.shape(of: site.module)
            try require(a.count == pair.rank * size.input && b.count == size.out * pair.rank, "a pair of \(site)")
            try require(a.allSatisfy(\.isFinite) && b.allSatisfy(\.isFinite), "NaN in \(site)")
        }
        _ = adapter.digest()
    }

    /// The weights of a model of `shape`.
    private static let weights: [UInt8] = {
        func entry(_ name: String, _ shape: [Int]) -> Safetensors.Entry {
            .init(name, shape, [Float](repeating: 0.5, count: shape.reduce(1, *)))
        }
        var entries = [entry("model.embed_tokens.weight", [16, 8]), entry("model.norm.weight", [8])]
        for layer in 0..<2 {
            let prefix = "model.layers.\(layer)"
            entries += [
                entry("\(prefix).input_layernorm.weight", [8]),
                entry("\(prefix).post_attention_layernorm.weight", [8]),
                entry("\(prefix).self_attn.q_proj.weight", [8, 8]), entry("\(prefix).self_attn.k_proj.weight", [4, 8]),
                entry("\(prefix).self_attn.v_proj.weight", [4, 8]), entry("\(prefix).self_attn.o_proj.weight", [8, 8]),
                entry("\(prefix).mlp.gate_proj.weight", [12, 8]), entry("\(prefix).mlp.up_proj.weight", [12, 8]),
                entry("\(prefix).mlp.down_proj.weight", [8, 12]),
            ]
        }
        return Safetensors.encoded(entries)
    }()

    // MARK: - Tokenizers

    private func tokenizer(_ bytes: [UInt8], _ name: String) throws {
        let tokenizer = try Tokenizer(contents: bytes, path: name)
        // The file's own beginning too: it has the vocabulary's words and no sound UTF-8.
        for text in [Array("It's a clock for X\n\r 12345 \u{1f600} <s>".utf8), Array(bytes.prefix(512))] {
            let ids = tokenizer.encode(utf8: text)
            try require(ids.first == tokenizer.bos, "no BOS in front")
            try require(
                ids.allSatisfy { (0..<tokenizer.vocabularySize).contains(Int($0)) },
                "ids \(ids) of \(tokenizer.vocabularySize)")
            _ = tokenizer.decode(ids)
        }
        _ = tokenizer.decode([-1, .min, .max, Int32(clamping: tokenizer.vocabularySize)])
    }
}
