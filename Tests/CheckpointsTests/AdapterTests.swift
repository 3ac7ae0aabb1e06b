import Glibc
import Testing

@testable import Checkpoints

@Suite struct AdapterTests {
    let folder = TemporaryFolder()

    private func read(_ adapter: TinyAdapter) throws -> Adapter {
        adapter.write(to: folder)
        return try Adapter(folder.path, for: TinyModel.shape())
    }

    private func configured(_ name: String, _ value: String) -> TinyAdapter {
        var adapter = TinyAdapter()
        adapter.configure(name, value)
        return adapter
    }

    private let q0 = AdapterSite(layer: 0, module: .q)
    private let v1 = AdapterSite(layer: 1, module: .v)

    @Test func readsWhatPEFTWrites() throws {
        let adapter = try read(TinyAdapter())
        #expect(adapter.pairs.count == 4)
        let pair = try #require(adapter.pairs[v1])
        #expect(pair.a.shape == [2, 8] && pair.b.shape == [4, 2] && pair.rank == 2 && pair.scale == 2)
        #expect(adapter.rank == 2)
    }

    @Test func scalesRankStabilisedAdapters() throws {
        let adapter = try read(configured("use_rslora", "true"))
        #expect(adapter.pairs[q0]?.scale == 4 / Float(2).squareRoot())
    }

    @Test(arguments: [
        ("v_proj", [2, 10], [2, 10]), ("self_attn.v_proj", [2, 10], [2, 10]),
        ("layers.1.self_attn.v_proj", [2, 2], [2, 10]), ("model.layers.1.self_attn.v_proj", [2, 2], [2, 10]),
        ("^model.layers.1.self_attn.v_proj", [2, 2], [2, 10]),
        ("model\\\\.layers\\\\.1\\\\.self_attn\\\\.v_proj", [2, 2], [2, 10]),
        ("^v_proj", [2, 2], [2, 2]), ("proj", [2, 2], [2, 2]), ("v", [2, 2], [2, 2]),
        ("base_model.model.model.layers.1.self_attn.v_proj", [2, 2], [2, 2]),
    ]) func matchesAlphaPatternsAsPEFTDoes(key: String, first: [Float], second: [Float]) throws {
        let adapter = try read(configured("alpha_pattern", #"{"\#(key)":20}"#))
        for (layer, scales) in [first, second].enumerated() {
            #expect(adapter.pairs[AdapterSite(layer: layer, module: .q)]?.scale == scales[0])
            #expect(adapter.pairs[AdapterSite(layer: layer, module: .v)]?.scale == scales[1])
        }
    }

    @Test func theFirstMatchingPatternCounts() throws {
        var adapter = try read(configured("alpha_pattern", #"{"layers.1.self_attn.v_proj":6,"v_proj":20}"#))
        #expect(adapter.pairs[v1]?.scale == 3)
        #expect(adapter.pairs[AdapterSite(layer: 0, module: .v)]?.scale == 10)
        adapter = try read(configured("alpha_pattern", #"{"v_proj":20,"layers.1.self_attn.v_proj":6}"#))
        #expect(adapter.pairs[v1]?.scale == 10)
    }

    @Test func readsRankPatterns() throws {
        var adapter = configured("rank_pattern", #"{"layers.1.self_attn.v_proj":3}"#)
        expect(.wrongShape, saying: "rank 3 on this base needs [3, 8] and [4, 3]") { _ = try read(adapter) }
        adapter.weights[TinyAdapter.name(1, "self_attn.v_proj", "A")] = .numbers([3, 8])
        adapter.weights[TinyAdapter.name(1, "self_attn.v_proj", "B")] = .numbers([4, 3])
        let whole = try read(adapter)
        #expect(whole.pairs[v1]?.rank == 3 && whole.pairs[v1]?.scale == 4 / 3 && whole.pairs[q0]?.rank == 2)
        #expect(whole.rank == 3)
    }

    /// A configuration within its limit of size, before two thousand modules.
    @Test func manyPatternsAreNoSlower() throws {
        let base = LlamaConfig(
            hiddenSize: 2, intermediateSize: 2, layers: 1024, heads: 1, kvHeads: 1, headDim: 2, vocabulary: 4)
        let patterns = (0..<40_000).map { #""other\#($0)":3"# } + [#""q_proj":6"#]
        folder.write(
            "adapter_config.json",
            #"{"peft_type":"LORA","r":1,"lora_alpha":1,"alpha_pattern":{\#(patterns.joined(separator: ","))}}"#)
        var weights = TensorFile()
        let numbers = [TensorFile.Tensor.numbers([1, 2]), .numbers([2, 1])]
        for layer in 0..<base.layers {
            for module in ["self_attn.q_proj", "self_attn.v_proj"] {
                for (half, tensor) in zip(["A", "B"], numbers) {
                    weights.tensors.append((TinyAdapter.name(layer, module, half), tensor))
                }
            }
        }
        folder.write("adapter_model.safetensors", weights.bytes())
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let start = now()
        let adapter = try Adapter(folder.path, for: base)
        #expect(now() - start < 40)
        #expect(adapter.pairs.count == 2048)
        #expect(adapter.pairs.allSatisfy { $0.value.scale == ($0.key.module == .q ? 6 : 1) })
    }

    @Test func trustsTheTensorsNotTheTargets() throws {
        #expect(try read(TinyAdapter(modules: ["mlp.down_proj"])).pairs.keys.map(\.module) == [.down, .down])
    }

    @Test(arguments: [
        ("init_lora_weights", #""gaussian""#), ("bias", #""none""#), ("modules_to_save", "[]"),
        ("some_new_key", "false"),
        ("some_new_key", "{}"), ("layers_to_transform", "[0,1]"),
    ]) func acceptsWhatChangesNothing(name: String, value: String) throws {
        var adapter = TinyAdapter()
        adapter.configure(name, value)
        #expect(try read(adapter).pairs.count == 4)
    }

    /// Members of the configuration, given instead of those of the same name.
    @Test(arguments: [
        ("use_dora", "true", CheckpointError.Code.unsupported, "use_dora: true"),
        ("bias", #""lora_only""#, .unsupported, "bias: \"lora_only\""),
        ("lora_bias", "true", .unsupported, "lora_bias: true"),
        ("modules_to_save", #"["lm_head"]"#, .unsupported, "modules_to_save: a list of \"lm_head\""),
        ("layer_replication", "[[0,1],[0,1]]", .unsupported, "layer_replication"),
        ("target_parameters", #"["x"]"#, .unsupported, "target_parameters"),
        ("trainable_token_indices", "[5]", .unsupported, "trainable_token_indices"),
        ("alora_invocation_tokens", "[1,2]", .unsupported, "alora_invocation_tokens"),
        ("use_qalora", "true", .unsupported, "use_qalora: true"),
        ("fan_in_fan_out", "true", .unsupported, "fan_in_fan_out: true"),
        ("a_key_of_tomorrow", "3", .unsupported, "a_key_of_tomorrow: 3"),
        ("init_lora_weights", #""pissa_niter_16""#, .unsupported, "init_lora_weights: \"pissa_niter_16\""),
        ("init_lora_weights", #""olora""#, .unsupported, "such an adapter changes its base"),
        ("peft_type", #""IA3""#, .unsupported, "peft_type: IA3"),
        ("peft_type", "null", .unsupported, "peft_type: nothing"),
        ("r", "0", .malformed, "r: 0"),
        ("r", "-8", .malformed, "r: -8"),
        ("r", "1e18", .malformed, "r: 1e18"),
        ("r", "null", .malformed, "r: nothing"),
        ("lora_alpha", "1e400", .malformed, "a number that is not finite"),
        ("lora_alpha", "1e300", .malformed, "lora_alpha: 1e300"),
        ("lora_alpha", "NaN", .malformed, "a number that is not finite"),
        ("use_rslora", #""true""#, .malformed, "use_rslora: \"true\""),
        ("rank_pattern", #"{"q_proj":0}"#, .malformed, "rank_pattern.q_proj: 0"),
        ("rank_pattern", #"{"q_proj":2.5}"#, .malformed, "rank_pattern.q_proj: 2.5"),
        ("rank_pattern", "[1]", .malformed, "rank_pattern"),
        ("alpha_pattern", #"{"q_proj":"8"}"#, .malformed, "alpha_pattern.q_proj: \"8\""),
        ("alpha_pattern", #"{"(a+)+$":8}"#, .unsupported, "a regular expression"),
        ("alpha_pattern", #"{"v_proj":8,"v_proj":9}"#, .malformed, "the key v_proj twice"),
    ]) func refusesConfigurations(name: String, value: String, code: CheckpointError.Code, words: String) {
        var adapter = TinyAdapter()
        adapter.configure(name, value)
        expect(code, saying: words) { _ = try read(adapter) }
    }

    @Test(arguments: [
        (
            TinyAdapter.name(0, "self_attn.q_proj", "A"), TensorFile.Tensor?.none, CheckpointError.Code.missingTensor,
            "lora_B without lora_A"
        ),
        (TinyAdapter.name(0, "self_attn.q_proj", "B"), nil, .missingTensor, "lora_A without lora_B"),
        (TinyAdapter.name(0, "self_attn.q_proj", "A"), .numbers([8, 2]), .wrongShape, "lora_A [8, 2]"),
        (TinyAdapter.name(0, "self_attn.q_proj", "A"), .numbers([16]), .wrongShape, "lora_A [16]"),
        (TinyAdapter.name(0, "self_attn.q_proj", "A"), .numbers([3, 8]), .wrongShape, "rank 2 on this base"),
        (TinyAdapter.name(0, "self_attn.v_proj", "B"), .numbers([8, 2]), .wrongShape, "[4, 2]"),
        (TinyAdapter.name(2, "self_attn.q_proj", "A"), .numbers([2, 8]), .wrongShape, "the base has 2 layers"),
        (
            TinyAdapter.name(0, "self_attn.v_proj", "B"),
            .init(shape: [4, 2], values: [0, 0, 0, 0, 0, 0, 0, .nan]), .notFinite, "v_proj.lora_B.weight: NaN"
        ),
        (
            "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector", .numbers([8]), .unknownTensor,
            "a DoRA magnitude"
        ),
        (
            "base_model.model.model.embed_tokens.lora_embedding_A", .numbers([2, 16]), .unknownTensor,
            "an embedding adapter"
        ),
        ("base_model.model.lm_head.weight", .numbers([16, 8]), .unknownTensor, "saved whole"),
        ("base_model.model.model.layers.0.self_attn.q_proj.bias", .numbers([8]), .unknownTensor, "a bias"),
        (
            "base_model.model.model.layers.00.self_attn.q_proj.lora_A.weight", .numbers([2, 8]), .unknownTensor,
            "no Llama adapter"
        ),
        (
            "base_model.model.model.layers.0.mlp.q_proj.lora_A.weight", .numbers([2, 8]), .unknownTensor,
            "no Llama adapter"
        ),
        (
            "base_model.model.model.layers.99999999999999999999.self_attn.q_proj.lora_A.weight", .numbers([2, 8]),
            .unknownTensor, "no Llama adapter"
        ),
        ("x", .init(type: "U8", shape: [2], halves: [1]), .unsupported, "dtype U8"),
    ]) func refusesTensors(name: String, tensor: TensorFile.Tensor?, code: CheckpointError.Code, words: String) {
        var adapter = TinyAdapter()
        adapter.weights[name] = tensor
        expect(code, saying: words) { _ = try read(adapter) }
    }

    @Test func refusesFoldersThatAreNoAdapter() {
        expect(.unreadable, saying: "adapter_config.json: No such file") {
            _ = try Adapter(folder.path, for: TinyModel.shape())
        }
        folder.write("adapter_config.json", TinyAdapter().configuration)
        expect(.unreadable, saying: "adapter_model.safetensors: No such file") {
            _ = try Adapter(folder.path, for: TinyModel.shape())
        }
        folder.write("adapter_model.bin", "pickle")
        expect(.unsupported, saying: "pickled weights") { _ = try Adapter(folder.path, for: TinyModel.shape()) }
        folder.write("adapter_model.safetensors", TensorFile().bytes())
        expect(.missingTensor, saying: "no LoRA matrix") { _ = try Adapter(folder.path, for: TinyModel.shape()) }
        unlink("\(folder.path)/adapter_model.safetensors")
        symlink("adapter_model.bin", "\(folder.path)/adapter_model.safetensors")
        expect(.escape, saying: "a symbolic link") { _ = try Adapter(folder.path, for: TinyModel.shape()) }
    }

    @Test func hashesItsWeightsAndTheirScale() throws {
        var adapter = TinyAdapter()
        let first = try read(adapter).digest()
        #expect(try read(adapter).digest() == first)
        #expect(try read(TinyAdapter(alpha: 8)).digest() != first)
        adapter.weights[TinyAdapter.name(0, "self_attn.q_proj", "A")] = .numbers([2, 8], seed: 77)
        #expect(try read(adapter).digest() != first)
    }
}
