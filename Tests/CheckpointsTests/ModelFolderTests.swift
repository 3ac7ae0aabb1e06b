import Glibc
import Testing

@testable import Checkpoints

@Suite struct ModelFolderTests {
    let folder = TemporaryFolder()

    private func open(_ model: TinyModel) throws -> ModelFolder {
        model.write(to: folder)
        return try ModelFolder(folder.path)
    }

    @Test func opensATiedModel() throws {
        let model = try open(TinyModel())
        #expect(model.embedding.shape == [16, 8])
        #expect(model.head.name == "model.embed_tokens.weight")
        #expect(model.linear(1, .down).shape == [8, 12])
        #expect(model.attentionNorm(0).name == "model.layers.0.input_layernorm.weight")
        #expect(model.feedForwardNorm(1).name == "model.layers.1.post_attention_layernorm.weight")
        #expect(model.byteCount == 4 * (16 * 8 + 8 + 2 * (16 + 64 * 2 + 32 * 2 + 96 * 3)))
    }

    @Test func dropsATiedHeadAndOldFrequencies() throws {
        var model = TinyModel()
        model.weights["lm_head.weight"] = .numbers([16, 8])
        model.weights["model.layers.0.self_attn.rotary_emb.inv_freq"] = .numbers([1])
        #expect(try open(model).head.name == "model.embed_tokens.weight")
    }

    @Test func opensAnUntiedModel() throws {
        var model = TinyModel()
        model.configuration = model.configuration.replacing(
            #""tie_word_embeddings":true"#, with: #""tie_word_embeddings":false"#)
        model.write(to: folder)
        expect(.missingTensor, saying: "lm_head.weight") { _ = try ModelFolder(folder.path) }
        model.weights["lm_head.weight"] = .numbers([16, 8], seed: 5)
        #expect(try open(model).head.name == "lm_head.weight")
    }

    @Test func fingerprintsTellModelsApart() throws {
        let first = try open(TinyModel()).fingerprint
        #expect(first.count == 64)
        #expect(try open(TinyModel()).fingerprint == first)
        var other = TinyModel()
        other.weights["model.layers.1.mlp.up_proj.weight"] = .numbers([12, 8], seed: 2)
        #expect(try open(other).fingerprint != first)
        // Of large tensors only the first and the last numbers count.
        for place in [0, 12 * 8 * 4 - 4] {
            other = TinyModel()
            other.weights["model.layers.1.mlp.up_proj.weight"]!.bytes[place] ^= 1
            #expect(try open(other).fingerprint != first)
        }
        other = TinyModel()
        other.configuration = other.configuration.replacing("1e-5", with: "1e-6")
        #expect(try open(other).fingerprint != first)
        folder.write("generation_config.json", #"{"eos_token_id":3}"#)
        #expect(try open(TinyModel()).fingerprint != first)
    }

    /// The tiny model in two files, and an index with `map`.
    private func shard(_ map: String? = nil) {
        let model = TinyModel()
        let names = model.weights.tensors.map(\.name)
        var (first, second) = (TensorFile(), TensorFile())
        for (index, name) in names.enumerated() {
            if index % 2 == 0 { first[name] = model.weights[name] } else { second[name] = model.weights[name] }
        }
        folder.write("config.json", model.configuration)
        folder.write("model-00001-of-00002.safetensors", first.bytes())
        folder.write("model-00002-of-00002.safetensors", second.bytes())
        let whole = names.enumerated().map { #""\#($1)":"model-0000\#($0 % 2 + 1)-of-00002.safetensors""# }
        folder.write(
            "model.safetensors.index.json",
            map ?? #"{"metadata":{"total_size":1},"weight_map":{\#(whole.joined(separator: ","))}}"#)
    }

    @Test func opensShards() throws {
        shard()
        #expect(try ModelFolder(folder.path).config.layers == 2)
        // An index may leave out files that are there.
        shard(#"{"weight_map":{"model.norm.weight":"model-00001-of-00002.safetensors"}}"#)
        #expect(try ModelFolder(folder.path).linear(1, .up).shape == [12, 8])
    }

    @Test func refusesBadIndexes() {
        for name in ["../model.safetensors", "/etc/passwd", "a/b.safetensors", "..", "."] {
            shard(#"{"weight_map":{"model.norm.weight":"\#(name)"}}"#)
            #expect(throws: CheckpointError.self) { try ModelFolder(folder.path) }
        }
        shard(#"{"weight_map":{"model.norm.weight":"../other/model.safetensors"}}"#)
        expect(.escape, saying: "../other/model.safetensors") { _ = try ModelFolder(folder.path) }
        shard(#"{"weight_map":{"model.norm.weight":"model-00003-of-00003.safetensors"}}"#)
        expect(.unreadable, saying: "model-00003-of-00003.safetensors, which is not there") {
            _ = try ModelFolder(folder.path)
        }
        shard(#"{"weight_map":{"model.norm.weight":7}}"#)
        expect(.malformed, saying: "weight_map.model.norm.weight: 7") { _ = try ModelFolder(folder.path) }
        shard("{}")
        expect(.malformed, saying: "weight_map: nothing") { _ = try ModelFolder(folder.path) }
    }

    @Test func refusesATensorInTwoFiles() {
        shard()
        folder.write("more.safetensors", TinyModel().weights.bytes())
        expect(.contradiction, saying: "a second tensor of that name") { _ = try ModelFolder(folder.path) }
    }

    @Test(arguments: [
        (
            "model.norm.weight", TensorFile.Tensor?.none, CheckpointError.Code.missingTensor,
            "model.norm.weight: nothing"
        ),
        ("model.layers.1.self_attn.o_proj.weight", nil, .missingTensor, "model.layers.1.self_attn.o_proj.weight"),
        ("model.layers.0.self_attn.k_proj.weight", .numbers([8, 8]), .wrongShape, "config.json asks for [4, 8]"),
        ("model.embed_tokens.weight", .numbers([15, 8]), .wrongShape, "shape [15, 8]"),
        ("model.norm.weight", .numbers([8, 1]), .wrongShape, "shape [8, 1]"),
        (
            "model.layers.2.input_layernorm.weight", .numbers([8]), .unknownTensor,
            "model.layers.2.input_layernorm.weight"
        ),
        ("model.layers.0.self_attn.q_proj.bias", .numbers([8]), .unknownTensor, "q_proj.bias"),
        ("model.layers.0.self_attn.q_proj.weight_scale", .numbers([1]), .unknownTensor, "weight_scale"),
        ("model.norm.weight", .init(shape: [8], values: [1, 1, 1, .nan, 1, 1, 1, 1]), .notFinite, "model.norm.weight"),
        ("model.norm.weight", .init(shape: [8], values: [1, 1, 1, .infinity, 1, 1, 1, 1]), .notFinite, "infinity"),
        (
            "model.norm.weight", .init(type: "I16", shape: [8], halves: [1, 1, 1, 1, 1, 1, 1, 1]), .unsupported,
            "dtype I16"
        ),
    ]) func refusesTensors(name: String, tensor: TensorFile.Tensor?, code: CheckpointError.Code, words: String) {
        var model = TinyModel()
        model.weights[name] = tensor
        expect(code, saying: words) { _ = try open(model) }
    }

    @Test func refusesFoldersThatAreNoModel() {
        expect(.unreadable, saying: "No such file") { _ = try ModelFolder("\(folder.path)/none") }
        expect(.unreadable, saying: "no config.json") { _ = try ModelFolder(folder.path) }
        folder.write("params.json", "{}")
        expect(.unsupported, saying: "convert_llama_weights_to_hf.py") { _ = try ModelFolder(folder.path) }
        folder.write("config.json", TinyModel.config)
        expect(.unreadable, saying: "no .safetensors file") { _ = try ModelFolder(folder.path) }
        folder.write("pytorch_model.bin", "pickle")
        expect(.unreadable, saying: "a pickle is never executed") { _ = try ModelFolder(folder.path) }
        mkdir("\(folder.path)/model.safetensors", 0o755)
        expect(.unreadable, saying: "no regular file") { _ = try ModelFolder(folder.path) }
        expect(.unreadable, saying: "Not a directory") { _ = try ModelFolder("\(folder.path)/config.json") }
    }

    @Test func refusesLinks() {
        TinyModel().write(to: folder)
        rename("\(folder.path)/model.safetensors", "\(folder.path)/blob")
        symlink("blob", "\(folder.path)/model.safetensors")
        expect(.escape, saying: "a symbolic link; put the file itself there") { _ = try ModelFolder(folder.path) }
        symlink("/dev/null", "\(folder.path)/generation_config.json")
        expect(.escape, saying: "generation_config.json") { _ = try ModelFolder(folder.path) }
    }
}
