import Digest
import Glibc
import Posix

/// A Llama tokenizer, exact: of tokenizer.json (both generations' forms) or of a SentencePiece tokenizer.model.
///
/// The text of a special token inside a prompt is plain text, as in Meta's own tokenizers: a history can neither begin
/// nor end a sequence.
public struct Tokenizer: Sendable {
    /// One more than the largest id.
    public let vocabularySize: Int
    /// The token in front of a prompt: by tokenizer.json's post_processor, or tokenizer.model's bos_id.
    public let bos: Int32
    /// SHA-256 of its file, in hexadecimal digits.
    public let digest: String
    private let model: Model

    /// What makes ids of text, of either generation.
    enum Model: Sendable {
        case byteLevel(ByteLevelBPE)
        case sentencePiece(SentencePieceBPE)
    }

    /// Reads `tokenizer.json`, or where there is none `tokenizer.model`, in `folder`.
    public init(folder: String) throws(TokenizerError) {
        let json = "\(folder)/tokenizer.json"
        let path = try read(json, Files.isPresent) ? json : "\(folder)/tokenizer.model"
        let contents = try read(path) { (path) throws(PosixError) in try Files.read(path, limit: largestFile) }
        try self.init(contents: contents, path: path)
    }

    /// A tokenizer from a file's bytes; `path` says by its ending what they are.
    public init(contents: [UInt8], path: String) throws(TokenizerError) {
        digest = SHA256.hexadecimal(contents)
        guard !path.hasSuffix(".json") else {
            let file = try TokenizerFile(contents, path: path)
            bos = file.bos
            vocabularySize = file.vocabularySize
            model = file.model
            return
        }
        let file = try SentencePieceFile(contents, path: path)
        bos = file.bos
        vocabularySize = file.pieces.count
        model = .sentencePiece(try SentencePieceBPE(file, path: path))
    }

    /// Token ids of `text`, BOS in front unless it is left out.
    public func encode(_ text: String, bos: Bool = true) -> [Int32] {
        var text = text
        return text.withUTF8 { encode(bytes: $0, bos: bos) }
    }

    /// Token ids of UTF-8 text; each ill-formed part counts as U+FFFD.
    public func encode(utf8: [UInt8], bos: Bool = true) -> [Int32] {
        encode(String(decoding: utf8, as: UTF8.self), bos: bos)
    }

    private func encode(bytes: UnsafeBufferPointer<UInt8>, bos withBOS: Bool) -> [Int32] {
        var ids: [Int32] = withBOS ? [bos] : []
        switch model {
        case .byteLevel(let model): model.encode(bytes, into: &ids)
        case .sentencePiece(let model): model.encode(bytes, into: &ids)
        }
        return ids
    }

    /// The text of `ids`; special tokens and ids outside the vocabulary leave nothing.
    public func decode(_ ids: [Int32]) -> String {
        switch model {
        case .byteLevel(let model): model.decode(ids)
        case .sentencePiece(let model): model.decode(ids)
        }
    }
}

/// Bytes of a tokenizer's file at most: a hostile one takes up to twenty times its size when it is read, and the largest of
/// a Llama has 28 MB.
private let largestFile = 64 << 20

/// Does `body` on the file at `path`, and tells its failures in a tokenizer's words.
private func read<Value>(_ path: String, _ body: (String) throws(PosixError) -> Value) throws(TokenizerError) -> Value {
    do { return try body(path) } catch {
        let found =
            switch error.errno {
            case EINVAL: "no regular file"
            case EFBIG: "more than \(largestFile) bytes"
            default: error.reason
            }
        throw TokenizerError(
            error.mayPass ? .unavailable : .unreadable, path, found: found,
            remedy: "give a folder with tokenizer.json or tokenizer.model")
    }
}
