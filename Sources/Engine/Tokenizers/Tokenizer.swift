import Glibc

/// A Llama tokenizer, exact: of tokenizer.json (both generations' forms) or of a SentencePiece tokenizer.model.
///
/// The text of a special token inside a prompt is plain text, as in Meta's own tokenizers: a history can neither begin
/// nor end a sequence.
public struct Tokenizer: Sendable {
    /// One more than the largest id.
    public let vocabularySize: Int
    public let bos: Int32
    private let model: Model

    private enum Model: Sendable {
        case byteLevel(ByteLevelBPE)
        case sentencePiece(SentencePieceBPE)
    }

    /// Reads `tokenizer.json`, or where there is none `tokenizer.model`, in `folder`.
    public init(folder: String) throws(TokenizerError) {
        let json = "\(folder)/tokenizer.json"
        let path = access(json, F_OK) == 0 ? json : "\(folder)/tokenizer.model"
        try self.init(contents: try contents(of: path), path: path)
    }

    /// A tokenizer from a file's bytes; `path` says by its ending what they are.
    public init(contents: [UInt8], path: String) throws(TokenizerError) {
        guard !path.hasSuffix(".json") else {
            let file = try TokenizerFile(contents, path: path)
            bos = file.bos
            vocabularySize = file.vocabularySize
            switch file.model {
            case .byteLevel(let model): self.model = .byteLevel(model)
            case .sentencePiece(let model): self.model = .sentencePiece(model)
            }
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

/// A regular file's bytes, 64 MiB at most: a hostile file takes up to twenty times its size when it is read, and the
/// largest of a Llama has 28 MB.
private func contents(of path: String) throws(TokenizerError) -> [UInt8] {
    func refuse(_ found: String) -> TokenizerError {
        TokenizerError(
            .unreadable, path, found: found, remedy: "give a folder with tokenizer.json or tokenizer.model")
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW)
    guard descriptor >= 0 else { throw refuse(String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { throw refuse("no regular file") }
    guard status.st_size <= 64 << 20 else { throw refuse("\(status.st_size) bytes") }
    let size = Int(status.st_size)
    var failed = false
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, initialized in
        while initialized < size {
            let count = read(descriptor, buffer.baseAddress! + initialized, size - initialized)
            if count < 0, errno == EINTR { continue }
            if count <= 0 {
                failed = count < 0
                break
            }
            initialized += count
        }
    }
    guard !failed else { throw refuse(String(cString: strerror(errno))) }
    return bytes
}
