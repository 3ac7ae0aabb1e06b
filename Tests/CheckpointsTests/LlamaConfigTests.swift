import Testing

@testable import Checkpoints

@Suite struct LlamaConfigTests {
    let folder = TemporaryFolder()

    /// The tiny model's configuration with `changes` made to its text.
    private func read(_ changes: [(String, String)], generation: String? = nil) throws -> LlamaConfig {
        var text = TinyModel.config
        for (old, new) in changes {
            let range = try #require(text.firstRange(of: old))
            text.replaceSubrange(range, with: new)
        }
        folder.write("config.json", text)
        if let generation { folder.write("generation_config.json", generation) }
        return try LlamaConfig(folder: folder.path)
    }

    static let llama3 =
        #""factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":512"#
    static let theta = #""rope_theta":500000.0"#

    @Test func readsTheShape() throws {
        let config = try read([])
        #expect(
            config
                == LlamaConfig(
                    hiddenSize: 8, intermediateSize: 12, layers: 2, heads: 4, kvHeads: 2, headDim: 2, vocabulary: 16,
                    normEpsilon: 1e-5, ropeTheta: 500000, maxPositions: 64, tiedEmbeddings: true, eos: [2]))
        #expect(config.shape(of: .k) == (4, 8))
        #expect(config.shape(of: .down) == (8, 12))
    }

    @Test func readsTheSmallestShape() throws {
        let config = try read([
            (#""num_hidden_layers":2"#, #""num_hidden_layers":1"#),
            (#""num_attention_heads":4"#, #""num_attention_heads":1"#),
            (#""num_key_value_heads":2"#, #""num_key_value_heads":1"#),
        ])
        #expect(config.layers == 1 && config.heads == 1 && config.kvHeads == 1 && config.headDim == 2)
    }

    @Test func fillsInWhatOldFilesLeaveOut() throws {
        let config = try read([
            (#""num_key_value_heads":2,"head_dim":2,"#, ""), (#""rms_norm_eps":1e-5,"#, ""),
            (#""rope_theta":500000.0,"#, ""),
            (#""tie_word_embeddings":true,"#, ""), (#""hidden_act":"silu","#, ""),
        ])
        #expect(config.kvHeads == 4 && config.headDim == 2 && config.ropeTheta == 10000 && !config.tiedEmbeddings)
        #expect(config.normEpsilon == 1e-6)
    }

    @Test(arguments: [
        #""rope_theta":500000.0,"rope_scaling":{"rope_type":"llama3",\#(llama3)}"#,
        #""rope_theta":500000.0,"rope_scaling":{"type":"llama3",\#(llama3)}"#,
        #""rope_parameters":{"rope_type":"llama3","rope_theta":500000,\#(llama3)}"#,
        #""rope_theta":5e5,"rope_scaling":{"type":"llama3",\#(llama3)},"rope_parameters":{"rope_type":"llama3","rope_theta":500000,\#(llama3)}"#,
        #""rope_theta":500000.0,"rope_scaling":null,"rope_parameters":{"rope_type":"llama3",\#(llama3)}"#,
    ]) func readsBothSpellingsOfTheRotarySettings(rope: String) throws {
        let config = try read([(Self.theta, rope)])
        #expect(config.ropeTheta == 500000)
        #expect(
            config.ropeScaling
                == .init(factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalMaxPositions: 512))
    }

    @Test(arguments: [#""rope_scaling":null"#, #""rope_parameters":{"rope_type":"default","rope_theta":10000}"#])
    func readsPlainRotarySettings(rope: String) throws {
        let config = try read([(Self.theta, rope)])
        #expect(config.ropeScaling == nil && config.ropeTheta == 10000)
    }

    @Test func scalesFrequenciesAsLlama32Does() {
        let config = LlamaConfig(
            hiddenSize: 3072, intermediateSize: 8192, layers: 28, heads: 24, kvHeads: 8, headDim: 128,
            vocabulary: 128256,
            ropeTheta: 500000,
            ropeScaling: .init(factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalMaxPositions: 8192))
        let expected: [Int: Double] = [
            0: 1, 1: 0.814617, 2: 0.663601, 3: 0.540581, 28: 3.2114461e-3, 29: 2.1184068e-3, 30: 1.2905480e-3,
            31: 7.6254125e-4, 32: 4.2955671e-4, 33: 2.2276341e-4, 63: 7.6723147e-8,
        ]
        for (index, value) in expected {
            #expect(abs(config.rotaryFrequencies[index] / value - 1) < 1e-6, "frequency \(index)")
        }
    }

    @Test func endsWhereTheGenerationConfigurationSays() throws {
        #expect(try read([]).eos == [2])
        #expect(try read([(#""eos_token_id":2"#, #""eos_token_id":[2,3]"#)]).eos == [2, 3])
        #expect(try read([(#""eos_token_id":2"#, #""eos_token_id":null"#)]).eos == [])
        let config = try read([], generation: #"{"eos_token_id":[4,5,6]}"#)
        #expect(config.eos == [4, 5, 6])
        #expect(try read([], generation: #"{"bos_token_id":700,"eos_token_id":null}"#).eos == [2])
    }

    @Test(arguments: [
        (#""hidden_size":8"#, #""hidden_size":0"#, CheckpointError.Code.malformed, "hidden_size: 0"),
        (#""hidden_size":8"#, #""hidden_size":-8"#, .malformed, "hidden_size: -8"),
        (#""hidden_size":8"#, #""hidden_size":9223372036854775807"#, .malformed, "hidden_size: 9223372036854775807"),
        (#""hidden_size":8"#, #""hidden_size":1e300"#, .malformed, "hidden_size: 1e300"),
        (#""hidden_size":8"#, #""hidden_size":8.5"#, .malformed, "hidden_size: 8.5"),
        (#""hidden_size":8"#, #""hidden_size":"8""#, .malformed, "hidden_size: \"8\""),
        (#""hidden_size":8"#, #""hidden_size":true"#, .malformed, "hidden_size: true"),
        (#""hidden_size":8,"#, "", .malformed, "hidden_size: nothing"),
        (#""hidden_size":8"#, #""hidden_size":NaN"#, .malformed, "a number that is not finite"),
        (#""hidden_size":8"#, #""hidden_size":8,"hidden_size":9"#, .malformed, "the key hidden_size twice"),
        (#""head_dim":2,"#, #""head_dim":3,"#, .unsupported, "head_dim: 3"),
        (#""hidden_size":8"#, #""hidden_size":9,"head_dim":null"#, .malformed, "the key head_dim twice"),
        (#""num_attention_heads":4"#, #""num_attention_heads":5"#, .contradiction, "2 for 5 attention heads"),
        (
            #""num_attention_heads":4,"num_key_value_heads":2,"head_dim":2"#, #""num_attention_heads":3"#,
            .contradiction, "8 for 3 heads"
        ),
        (#""num_hidden_layers":2"#, #""num_hidden_layers":100000"#, .malformed, "num_hidden_layers: 100000"),
        (#""vocab_size":16"#, #""vocab_size":0"#, .malformed, "vocab_size: 0"),
        (#""rms_norm_eps":1e-5"#, #""rms_norm_eps":-1"#, .malformed, "rms_norm_eps: -1"),
        (#""rms_norm_eps":1e-5"#, #""rms_norm_eps":1e-300"#, .malformed, "rms_norm_eps: 1e-300"),
        (#""eos_token_id":2"#, #""eos_token_id":[2,16]"#, .contradiction, "eos_token_id: 16"),
        (#""eos_token_id":2"#, #""eos_token_id":"</s>""#, .malformed, "eos_token_id: \"</s>\""),
        (#""hidden_act":"silu""#, #""hidden_act":"gelu""#, .unsupported, "hidden_act: \"gelu\""),
        (#""attention_bias":false"#, #""attention_bias":true"#, .unsupported, "attention_bias: true"),
        (#""attention_bias":false"#, #""mlp_bias":true"#, .unsupported, "mlp_bias: true"),
        (#""model_type":"llama""#, #""model_type":"mistral""#, .unsupported, "model_type: \"mistral\""),
        (#""LlamaForCausalLM""#, #""Qwen2ForCausalLM""#, .unsupported, "architectures: a list of \"Qwen2ForCausalLM\""),
        (#""hidden_act":"silu""#, #""quantization_config":{"bits":4}"#, .unsupported, "quantization_config"),
        (#""hidden_act":"silu""#, #""sliding_window":4096"#, .unsupported, "sliding_window: 4096"),
        (#""hidden_act":"silu""#, #""partial_rotary_factor":0.5"#, .unsupported, "partial_rotary_factor: 0.5"),
        (theta, #""rope_theta":0"#, .malformed, "rope_theta: 0"),
        (theta, #""rope_theta":1e999"#, .malformed, "a number that is not finite"),
        (theta, #""rope_scaling":{"type":"linear","factor":2.0}"#, .unsupported, "rope_scaling.rope_type: linear"),
        (
            theta, #""rope_scaling":{"rope_type":"dynamic","factor":2.0}"#, .unsupported,
            "rope_scaling.rope_type: dynamic"
        ),
        (theta, #""rope_parameters":{"rope_type":"yarn"}"#, .unsupported, "rope_parameters.rope_type: yarn"),
        (theta, #""rope_parameters":{"full_attention":{"rope_type":"default"}}"#, .unsupported, "full_attention"),
        (theta, #""rope_scaling":"llama3""#, .malformed, "rope_scaling: \"llama3\""),
        (theta, #""rope_scaling":{"rope_type":"llama3","factor":8}"#, .malformed, "numbers that do not scale"),
        (theta, #""rope_scaling":{"type":"llama3","rope_type":"default",\#(llama3)}"#, .contradiction, "llama3 beside"),
        (
            theta, #""rope_theta":10000,"rope_parameters":{"rope_theta":500000}"#, .contradiction,
            "rope_theta: 10000.0 and 500000.0"
        ),
        (
            theta, #""rope_scaling":{"type":"default"},"rope_parameters":{"rope_type":"llama3",\#(llama3)}"#,
            .contradiction, "other numbers than rope_parameters has"
        ),
    ]) func refuses(old: String, new: String, code: CheckpointError.Code, words: String) {
        expect(code, saying: words) { _ = try read([(old, new)]) }
    }

    @Test func refusesABadGenerationConfiguration() {
        expect(.contradiction, saying: "generation_config.json: eos_token_id: 99") {
            _ = try read([], generation: #"{"eos_token_id":99}"#)
        }
        expect(.malformed, saying: "generation_config.json") { _ = try read([], generation: "{") }
    }

    @Test func refusesWhatIsNoJSON() {
        folder.write("config.json", [])
        expect(.malformed, saying: "config.json: line 1, column 1: the end of the file") {
            _ = try LlamaConfig(folder: folder.path)
        }
        folder.write("config.json", [0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d])
        expect(.malformed, saying: "bytes that are not UTF-8") { _ = try LlamaConfig(folder: folder.path) }
        folder.write("config.json", String(repeating: #"{"a":"#, count: 100_000))
        expect(.malformed, saying: "nested deeper than 32") { _ = try LlamaConfig(folder: folder.path) }
        folder.write("config.json", [UInt8](repeating: 0x20, count: 17 << 20))
        expect(.malformed, saying: "such a file has at most") { _ = try LlamaConfig(folder: folder.path) }
    }
}
