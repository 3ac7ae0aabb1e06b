import JSON

/// A SentencePiece model file, which is a protocol buffer: its pieces and the settings that change ids.
struct SentencePieceFile {
    struct Piece {
        var text: [UInt8] = []
        var score: Float = 0
        var kind: UInt64 = 1
    }

    private(set) var pieces: [Piece] = []
    private(set) var bos: Int32 = 1
    private(set) var addsPrefix = true
    private let path: String

    // Field numbers of sentencepiece_model.proto.
    private enum Model { static let pieces: UInt64 = 1, trainer: UInt64 = 2, normalizer: UInt64 = 3 }
    private enum Entry { static let piece: UInt64 = 1, score: UInt64 = 2, kind: UInt64 = 3 }
    private enum Trainer {
        static let modelType: UInt64 = 3, splitByPrefix: UInt64 = 24, byteFallback: UInt64 = 35, bos: UInt64 = 41
    }
    private enum Normalizer {
        static let charsmap: UInt64 = 2, dummyPrefix: UInt64 = 3, removesBlanks: UInt64 = 4, escapesBlanks: UInt64 = 5
    }
    static let kindUnknown: UInt64 = 2, kindControl: UInt64 = 3, kindUser: UInt64 = 4, kindUnused: UInt64 = 5
    static let kindByte: UInt64 = 6

    /// - Parameter mostPieces: what config.json's vocab_size may be at most.
    init(_ contents: [UInt8], path: String, mostPieces: Int = 1 << 22) throws(TokenizerError) {
        self.path = path
        var type: UInt64 = 1
        var fallsBack = false
        var removesBlanks = true
        var escapesBlanks = true
        var suffix = false
        var reader = ProtocolBuffer(contents[...], path: path)
        while let field = try reader.next() {
            switch field.number {
            case Model.pieces:
                // A piece takes two bytes of a file and fifty times that here.
                guard pieces.count < mostPieces else {
                    throw TokenizerError(
                        .malformed, path, found: "more than \(mostPieces) pieces",
                        remedy: "no Llama has so large a vocabulary")
                }
                pieces.append(try piece(field.bytes))
            case Model.trainer:
                var trainer = ProtocolBuffer(field.bytes, path: path)
                while let field = try trainer.next() {
                    switch field.number {
                    case Trainer.modelType: type = field.value
                    case Trainer.splitByPrefix: suffix = field.value != 0
                    case Trainer.byteFallback: fallsBack = field.value != 0
                    case Trainer.bos: bos = Int32(truncatingIfNeeded: field.value)
                    default: break
                    }
                }
            case Model.normalizer:
                var normalizer = ProtocolBuffer(field.bytes, path: path)
                while let field = try normalizer.next() {
                    switch field.number {
                    case Normalizer.charsmap where !field.bytes.isEmpty:
                        throw unsupported("a normalizer other than identity")
                    case Normalizer.dummyPrefix: addsPrefix = field.value != 0
                    case Normalizer.removesBlanks: removesBlanks = field.value != 0
                    case Normalizer.escapesBlanks: escapesBlanks = field.value != 0
                    default: break
                    }
                }
            default: break
            }
        }
        guard !pieces.isEmpty else {
            throw TokenizerError(
                .malformed, path, found: "no pieces", remedy: "give a SentencePiece model file")
        }
        guard type == 2 else { throw unsupported("a model type other than BPE") }
        guard fallsBack else { throw unsupported("a model without byte fallback") }
        guard !removesBlanks else { throw unsupported("remove_extra_whitespaces") }
        guard escapesBlanks, !suffix else { throw unsupported("blanks that are not escaped in front") }
        guard !pieces.contains(where: { $0.kind == Self.kindUser || $0.kind == Self.kindUnused }) else {
            throw unsupported("user-defined or unused pieces")
        }
        guard pieces.indices.contains(Int(bos)) else {
            throw TokenizerError(
                .malformed, path, found: "bos_id \(bos)",
                remedy: "ids lie in 0..<\(pieces.count); train with a BOS piece")
        }
        // Any other piece could come of a text.
        guard pieces[Int(bos)].kind == Self.kindControl else {
            let text = String(decoding: pieces[Int(bos)].text, as: UTF8.self)
            throw TokenizerError(
                .malformed, path, found: "bos_id \(bos), which is \(printable(text)) and no control piece",
                remedy: "bos_id is the number of a control piece; train with a BOS piece")
        }
    }

    private func unsupported(_ found: String) -> TokenizerError {
        TokenizerError(.unsupported, path, found: found, remedy: "primed reads Llama 2's kind of model")
    }

    private func piece(_ bytes: ArraySlice<UInt8>) throws(TokenizerError) -> Piece {
        var piece = Piece()
        var reader = ProtocolBuffer(bytes, path: path)
        while let field = try reader.next() {
            switch field.number {
            case Entry.piece: piece.text = Array(field.bytes)
            case Entry.score: piece.score = Float(bitPattern: UInt32(truncatingIfNeeded: field.value))
            case Entry.kind: piece.kind = field.value
            default: break
            }
        }
        guard piece.score.isFinite else {
            throw TokenizerError(.malformed, path, found: "a score that is not finite", remedy: "copy the file again")
        }
        return piece
    }
}

/// The fields of a protocol buffer message, one by one.
private struct ProtocolBuffer {
    struct Field {
        var number: UInt64
        /// A varint or fixed-width value.
        var value: UInt64 = 0
        /// A length-delimited value.
        var bytes: ArraySlice<UInt8> = []
    }

    private var rest: ArraySlice<UInt8>
    private let path: String

    init(_ bytes: ArraySlice<UInt8>, path: String) {
        rest = bytes
        self.path = path
    }

    mutating func next() throws(TokenizerError) -> Field? {
        guard !rest.isEmpty else { return nil }
        let key = try varint()
        var field = Field(number: key >> 3)
        switch key & 7 {
        case 0: field.value = try varint()
        case 1: field.value = try fixed(8)
        case 2:
            let count = try varint()
            guard count <= UInt64(rest.count) else { throw truncated }
            field.bytes = rest.prefix(Int(count))
            rest = rest.dropFirst(Int(count))
        case 5: field.value = try fixed(4)
        default: throw truncated
        }
        return field
    }

    private var truncated: TokenizerError {
        TokenizerError(
            .malformed, path, found: "a message that is cut off or no SentencePiece model",
            remedy: "copy the file again")
    }

    private mutating func varint() throws(TokenizerError) -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw truncated }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        throw truncated
    }

    private mutating func fixed(_ count: Int) throws(TokenizerError) -> UInt64 {
        guard rest.count >= count else { throw truncated }
        var value: UInt64 = 0
        for (index, byte) in rest.prefix(count).enumerated() { value |= UInt64(byte) << UInt64(8 * index) }
        rest = rest.dropFirst(count)
        return value
    }
}

extension SentencePieceBPE {
    init(_ file: SentencePieceFile, path: String) throws(TokenizerError) {
        let pieces: [Piece] = file.pieces.map { piece in
            switch piece.kind {
            case SentencePieceFile.kindByte: SentencePieceBPE.byte(spelled: piece.text).map { .byte($0) } ?? .special
            case SentencePieceFile.kindUnknown, SentencePieceFile.kindControl: .special
            default: .text(piece.text)
            }
        }
        if let byte = Self.missingByte(in: pieces) {
            throw TokenizerError(
                .malformed, path, found: "no byte piece \(Self.spelling(of: byte))",
                remedy: "byte fallback needs all of <0x00> to <0xFF>; copy the file again")
        }
        self.init(
            pieces: pieces, rule: .scores(file.pieces.map(\.score)),
            prefix: file.addsPrefix ? .always : .none, replacesWholeRuns: false)
    }
}
