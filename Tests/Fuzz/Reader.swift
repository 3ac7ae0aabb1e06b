/// The readers of files from outside that are fuzzed.
public enum Reader: String, CaseIterable, Sendable {
    /// A job's, a pool's and a site's JSON, and JSON Lines.
    case manifest
    /// A safetensors file.
    case safetensors
    /// tokenizer.json
    case tokenizer
    /// tokenizer.model
    case sentencepiece
    /// config.json, generation_config.json and model.safetensors.index.json, a NUL between them; the weights are fixed.
    case config
    /// adapter_config.json, a NUL, adapter_model.safetensors.
    case adapter

    /// The parts of an input.
    static func parts(_ bytes: [UInt8], _ count: Int) -> [[UInt8]] {
        bytes.split(separator: 0, maxSplits: count - 1, omittingEmptySubsequences: false).map { Array($0) }
    }
}

/// What a reader must never do, in words.
public struct Surprise: Error, CustomStringConvertible {
    public let description: String
}

func require(_ holds: Bool, _ words: @autoclosure () -> String) throws(Surprise) {
    if !holds { throw Surprise(description: words()) }
}
