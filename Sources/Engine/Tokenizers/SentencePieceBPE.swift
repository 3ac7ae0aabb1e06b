/// BPE over characters with byte fallback: Llama 2's generation, from either of its files.
struct SentencePieceBPE: Sendable {
    /// What stands in front of the text.
    enum Prefix: Sendable {
        case none
        /// A blank always: SentencePiece's dummy prefix, and the legacy form of tokenizer.json.
        case always
        /// A blank unless there is one: the non-legacy form.
        case unlessThere
    }

    /// How two neighbours merge.
    enum Rule: Sendable {
        /// SentencePiece: whatever their union spells, by its score.
        case scores([Float])
        /// tokenizer.json: listed pairs by their rank.
        case ranks([UInt64: (rank: Int32, id: Int32)])
    }

    enum Piece: Sendable, Equatable {
        case text([UInt8])
        case byte(UInt8)
        case special
    }

    let pieces: [Piece]
    private let table: PieceTable
    private let byteIds: [Int32]
    private let rule: Rule
    private let prefix: Prefix
    /// The tokenizers library gives a U+FFFD for every byte of a run that is no text as a whole; SentencePiece only for the
    /// bytes that belong to no character.
    private let replacesWholeRuns: Bool

    /// U+2581, which stands for a blank.
    private static let blank: [UInt8] = [0xe2, 0x96, 0x81]

    /// - Parameter pieces: with one for every byte, so that no text is unknown.
    init(pieces: [Piece], rule: Rule, prefix: Prefix, replacesWholeRuns: Bool) {
        self.pieces = pieces
        self.rule = rule
        self.prefix = prefix
        self.replacesWholeRuns = replacesWholeRuns
        var entries: [(bytes: [UInt8], id: Int32)] = []
        var byteIds = [Int32](repeating: -1, count: 256)
        for (id, piece) in pieces.enumerated() {
            switch piece {
            case .text(let bytes): entries.append((bytes, Int32(id)))
            case .byte(let byte): byteIds[Int(byte)] = Int32(id)
            case .special: break
            }
        }
        table = PieceTable(entries)
        self.byteIds = byteIds
    }

    /// The first byte that none of `pieces` stands for.
    static func missingByte(in pieces: [Piece]) -> UInt8? {
        var isThere = [Bool](repeating: false, count: 256)
        for case .byte(let byte) in pieces { isThere[Int(byte)] = true }
        return isThere.firstIndex(of: false).map { UInt8($0) }
    }

    func encode(_ text: UnsafeBufferPointer<UInt8>, into ids: inout [Int32]) {
        guard !text.isEmpty else { return }
        var normal: [UInt8] = []
        normal.reserveCapacity(text.count + text.count / 4 + 3)
        for byte in text { if byte == 0x20 { normal += Self.blank } else { normal.append(byte) } }
        switch prefix {
        case .none: break
        case .always: normal = Self.blank + normal
        case .unlessThere: if !normal.starts(with: Self.blank) { normal = Self.blank + normal }
        }
        normal.withUnsafeBufferPointer { normal in
            for symbol in MergeQueue.merge(symbols(normal), pair: { self.pair($0, $1, normal) }) {
                guard symbol.id < 0 else {
                    ids.append(symbol.id)
                    continue
                }
                for offset in 0..<Int(symbol.length) { ids.append(byteIds[Int(normal[Int(symbol.start) + offset])]) }
            }
        }
    }

    private func symbols(_ text: UnsafeBufferPointer<UInt8>) -> [MergeQueue.Symbol] {
        var symbols: [MergeQueue.Symbol] = []
        var start = 0
        while start < text.count {
            var end = start + 1
            while end < text.count, text[end] & 0xc0 == 0x80 { end += 1 }
            let id = table[UnsafeBufferPointer(rebasing: text[start..<end])] ?? -1
            symbols.append(.init(start: start, length: end - start, id: id))
            start = end
        }
        return symbols
    }

    private func pair(
        _ left: MergeQueue.Symbol, _ right: MergeQueue.Symbol, _ text: UnsafeBufferPointer<UInt8>
    ) -> (priority: Double, id: Int32)? {
        switch rule {
        case .scores(let scores):
            let range = Int(left.start)..<Int(right.start + right.length)
            guard let id = table[UnsafeBufferPointer(rebasing: text[range])] else { return nil }
            return (-Double(scores[Int(id)]), id)
        case .ranks(let merges):
            guard left.id >= 0, right.id >= 0 else { return nil }
            return merges[ByteLevelBPE.key(left.id, right.id)].map { (Double($0.rank), $0.id) }
        }
    }

    func decode(_ ids: [Int32]) -> String {
        var text: [UInt8] = []
        var run: [UInt8] = []
        var isFirst = true
        func flush() {
            if replacesWholeRuns, String(validating: run, as: UTF8.self) == nil {
                for _ in run { text += Self.replacement }
            } else {
                text += Self.characters(run)
            }
            run = []
        }
        for id in ids where pieces.indices.contains(Int(id)) {
            switch pieces[Int(id)] {
            case .special:
                // The tokenizers library takes special tokens away before it looks at bytes.
                if !replacesWholeRuns { flush() }
                continue
            case .byte(let byte): run.append(byte)
            case .text(let bytes):
                flush()
                var blanks = spelled(bytes)
                // The blank in front is the tokenizer's own.
                if isFirst, !replacesWholeRuns, prefix != .none, blanks.first == 0x20 { blanks.removeFirst() }
                text += blanks
            }
            isFirst = false
        }
        flush()
        // The tokenizers library strips one blank from whatever came out.
        if replacesWholeRuns, prefix != .none, text.first == 0x20 { text.removeFirst() }
        return String(decoding: text, as: UTF8.self)
    }

    private static let replacement: [UInt8] = [0xef, 0xbf, 0xbd]

    /// `run` with U+FFFD in place of every byte that belongs to no character.
    private static func characters(_ run: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        var rest = run[...]
        while let first = rest.first {
            let length = max(1, (~first).leadingZeroBitCount)
            let character = rest.prefix(length)
            let isWhole = String(validating: character, as: UTF8.self) != nil
            text += isWhole ? Array(character) : replacement
            rest = rest.dropFirst(isWhole ? length : 1)
        }
        return text
    }

    private func spelled(_ piece: [UInt8]) -> [UInt8] {
        var spelled: [UInt8] = []
        var index = 0
        while index < piece.count {
            if piece[index...].starts(with: Self.blank) {
                spelled.append(0x20)
                index += 3
            } else {
                spelled.append(piece[index])
                index += 1
            }
        }
        return spelled
    }
}
