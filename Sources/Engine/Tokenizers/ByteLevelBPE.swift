/// Byte-level BPE behind a splitter: Llama 3's generation.
struct ByteLevelBPE: Sendable {
    /// Bytes of each token by id; nil for special tokens and gaps.
    private let tokens: [[UInt8]?]
    private let table: PieceTable
    /// The id of each single byte, -1 where the vocabulary lacks it.
    private let byteIds: [Int32]
    /// Rank and union of two ids, keyed by both.
    private let merges: [UInt64: (rank: Int32, id: Int32)]
    /// A word that is a token is that token, whatever the merges say.
    private let ignoresMerges: Bool

    init(
        tokens: [[UInt8]?], merges: [UInt64: (rank: Int32, id: Int32)], ignoresMerges: Bool
    ) {
        self.tokens = tokens
        self.merges = merges
        self.ignoresMerges = ignoresMerges
        table = PieceTable(tokens.enumerated().compactMap { id, bytes in bytes.map { ($0, Int32(id)) } })
        let table = table
        byteIds = (0...255).map { table[[UInt8($0)]] ?? -1 }
    }

    /// The first byte that no token stands for.
    var missingByte: UInt8? { byteIds.firstIndex(of: -1).map { UInt8($0) } }

    static func key(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    func encode(_ text: UnsafeBufferPointer<UInt8>, into ids: inout [Int32]) {
        Splitter(text).forEachWord { range in
            let word = UnsafeBufferPointer(rebasing: text[range])
            if ignoresMerges, let id = table[word] {
                ids.append(id)
                return
            }
            var symbols: [MergeQueue.Symbol] = []
            symbols.reserveCapacity(word.count)
            // A byte without a token and without an unknown token leaves nothing, as in the tokenizers library.
            for (index, byte) in word.enumerated() where byteIds[Int(byte)] >= 0 {
                symbols.append(.init(start: index, length: 1, id: byteIds[Int(byte)]))
            }
            let merged = MergeQueue.merge(symbols) { left, right in
                merges[Self.key(left.id, right.id)].map { (Double($0.rank), $0.id) }
            }
            for symbol in merged { ids.append(symbol.id) }
        }
    }

    func decode(_ ids: [Int32]) -> String {
        var bytes: [UInt8] = []
        for id in ids where tokens.indices.contains(Int(id)) {
            if let token = tokens[Int(id)] { bytes += token }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The byte that a character of GPT-2's printable alphabet stands for.
    static let byteOfCharacter: [UInt32: UInt8] = {
        var map: [UInt32: UInt8] = [:]
        var next: UInt32 = 256
        for byte in 0...255 {
            let isPrintable = (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte)
            if isPrintable {
                map[UInt32(byte)] = UInt8(byte)
            } else {
                map[next] = UInt8(byte)
                next += 1
            }
        }
        return map
    }()

    /// A token's bytes from its text in GPT-2's alphabet; nil if a character is not of it.
    static func bytes(of text: [UInt8]) -> [UInt8]? {
        var bytes: [UInt8] = []
        for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
            guard let byte = byteOfCharacter[scalar.value] else { return nil }
            bytes.append(byte)
        }
        return bytes
    }
}
