import JSON

/// tokenizer.json: which of the two generations it is, and its tokens and merges.
///
/// Everything that changes ids must be of a known form; what is not is refused by name, never ignored.
struct TokenizerFile {
    private(set) var model: Tokenizer.Model
    private(set) var bos: Int32
    private(set) var vocabularySize: Int

    init(_ contents: [UInt8], path: String) throws(TokenizerError) {
        let root = try NodeReader.read(contents, path: path)
        let file = Fields(path: path)
        guard let section = root["model"], section["type"]?.text ?? "BPE" == "BPE" else {
            throw file.unsupported("model.type", root["model"]?["type"]?.text, "BPE")
        }
        for key in ["continuing_subword_prefix", "end_of_word_suffix", "dropout"] {
            guard section[key].map({ $0.isNull || $0.text == "" }) ?? true else {
                throw file.unsupported("model.\(key)", "a value", "null")
            }
        }
        let vocabulary = try file.vocabulary(section)
        let table = PieceTable(vocabulary.enumerated().compactMap { id, text in text.map { ($0, Int32(id)) } })
        let specials = try file.specialTokens(root, table)
        vocabularySize = max(vocabulary.count, Int(specials.values.max() ?? -1) + 1)
        bos = try file.bos(root, specials)
        let special = Set(specials.values)
        let merges = try file.merges(section["merges"]?.array ?? [], table, special)
        if section["byte_fallback"]?.bool == true {
            guard section["ignore_merges"]?.bool != true else {
                throw file.unsupported("model.ignore_merges", "true beside byte_fallback", "false there")
            }
            let prefix = try file.prefix(root)
            let pieces = file.pieces(vocabulary, special)
            if let byte = SentencePieceBPE.missingByte(in: pieces) {
                throw file.unsupported(
                    "model.vocab", "byte_fallback without \(SentencePieceBPE.spelling(of: byte))",
                    "a token for every byte, <0x00> to <0xFF>")
            }
            model = .sentencePiece(
                SentencePieceBPE(pieces: pieces, rule: .ranks(merges), prefix: prefix, replacesWholeRuns: true))
        } else {
            try file.requireByteLevel(root)
            var tokens = [[UInt8]?](repeating: nil, count: vocabulary.count)
            for (id, text) in vocabulary.enumerated() {
                guard let text, !special.contains(Int32(id)) else { continue }
                guard let bytes = ByteLevelBPE.bytes(of: text) else {
                    throw file.malformed("model.vocab", "token \(id) outside the byte-level alphabet")
                }
                tokens[id] = bytes
            }
            let byteLevel = ByteLevelBPE(
                tokens: tokens, merges: merges, ignoresMerges: section["ignore_merges"]?.bool ?? false)
            if let byte = byteLevel.missingByte, let unknown = section["unk_token"], !unknown.isNull {
                throw file.unsupported(
                    "model.unk_token", "one that stands for byte \(byte), which has no token",
                    "a token for every byte, or no unk_token")
            }
            model = .byteLevel(byteLevel)
        }
    }
}

/// The parts of the file, each checked as it is read.
private struct Fields {
    let path: String

    func malformed(_ field: String, _ found: String) -> TokenizerError {
        TokenizerError(.malformed, "\(path): \(field)", found: found, remedy: "save the tokenizer again")
    }

    func unsupported(_ field: String, _ found: String?, _ known: String) -> TokenizerError {
        TokenizerError(
            .unsupported, "\(path): \(field)", found: printable(found ?? "nothing"), remedy: "primed reads \(known)")
    }

    /// Token text by id, without gaps in the numbering but with gaps as nil.
    func vocabulary(_ model: JSONNode) throws(TokenizerError) -> [[UInt8]?] {
        guard let entries = model["vocab"]?.entries, !entries.isEmpty else {
            throw malformed("model.vocab", "no object of tokens and ids")
        }
        var tokens: [[UInt8]?] = []
        for entry in entries {
            guard let id = entry.value.id, Int(id) < 2 * entries.count + 4096 else {
                throw malformed("model.vocab", "an id that is no small integer")
            }
            while tokens.count <= Int(id) { tokens.append(nil) }
            guard tokens[Int(id)] == nil else { throw malformed("model.vocab", "id \(id) twice") }
            tokens[Int(id)] = entry.key
        }
        return tokens
    }

    /// Ids of special tokens; the vocabulary's own go before those that stand beside them, as in the tokenizers library.
    func specialTokens(_ root: JSONNode, _ vocabulary: PieceTable) throws(TokenizerError) -> [String: Int32] {
        var specials: [String: Int32] = [:]
        for (index, token) in (root["added_tokens"]?.array ?? []).enumerated() {
            guard let text = token["content"]?.text, let id = token["id"]?.id else {
                throw malformed("added_tokens[\(index)]", "no content or id")
            }
            guard token["special"]?.bool == true else {
                throw unsupported("added_tokens[\(index)]", text, "special added tokens only")
            }
            specials[text] = vocabulary[Array(text.utf8)] ?? id
        }
        return specials
    }

    /// The token that the post-processor puts in front; without one, the token of BOS's usual names.
    func bos(_ root: JSONNode, _ specials: [String: Int32]) throws(TokenizerError) -> Int32 {
        let processor = root["post_processor"] ?? .null
        let templates = (processor["processors"]?.array ?? [processor]).filter {
            $0["type"]?.text == "TemplateProcessing"
        }
        let name =
            templates.first?["single"]?.array?.first?["SpecialToken"]?["id"]?.text
            ?? ["<|begin_of_text|>", "<s>"].first { specials[$0] != nil }
        guard let name, let id = specials[name] else {
            throw malformed("post_processor", "no token that begins a text")
        }
        return id
    }

    /// Pairs of neighbours by rank.
    ///
    /// A trainer writes a merge that spells a special token where its texts had it often enough; text must not get there.
    func merges(
        _ merges: [JSONNode], _ vocabulary: PieceTable, _ special: Set<Int32>
    ) throws(TokenizerError) -> [UInt64: (rank: Int32, id: Int32)] {
        var ranks: [UInt64: (rank: Int32, id: Int32)] = [:]
        ranks.reserveCapacity(merges.count)
        for (rank, merge) in merges.enumerated() {
            let pair: [[UInt8]]
            switch merge {
            case .string(let text):
                pair = text.split(separator: 0x20, maxSplits: 1, omittingEmptySubsequences: false).map { Array($0) }
            case .array(let nodes):
                pair = nodes.compactMap { if case .string(let text) = $0 { text } else { nil } }
            default: pair = []
            }
            guard pair.count == 2, let left = vocabulary[pair[0]], let right = vocabulary[pair[1]],
                let union = vocabulary[pair[0] + pair[1]]
            else { throw malformed("model.merges[\(rank)]", "a pair that is not of the vocabulary") }
            guard special.isDisjoint(with: [left, right, union]) else { continue }
            let key = ByteLevelBPE.key(left, right)
            // A pair given twice counts where it stands last, as in the tokenizers library.
            ranks[key] = (Int32(rank), union)
        }
        return ranks
    }

    func requireByteLevel(_ root: JSONNode) throws(TokenizerError) {
        guard root["normalizer"]?.isNull ?? true else {
            throw unsupported("normalizer", root["normalizer"]?["type"]?.text, "none in front of byte-level BPE")
        }
        let steps = root["pre_tokenizer"]?["pretokenizers"]?.array ?? []
        guard steps.count == 2, steps[0]["type"]?.text == "Split", steps[1]["type"]?.text == "ByteLevel" else {
            throw unsupported("pre_tokenizer", root["pre_tokenizer"]?["type"]?.text, "Split and ByteLevel in sequence")
        }
        guard steps[0]["pattern"]?["Regex"]?.text == Splitter.pattern, steps[0]["behavior"]?.text == "Isolated",
            steps[0]["invert"]?.bool != true
        else { throw unsupported("pre_tokenizer.pretokenizers[0]", "another pattern", "Llama 3's pattern, isolated") }
        guard steps[1]["add_prefix_space"]?.bool == false, steps[1]["use_regex"]?.bool == false else {
            throw unsupported(
                "pre_tokenizer.pretokenizers[1]", "ByteLevel with add_prefix_space or use_regex", "neither")
        }
    }

    /// What stands in front of the text in the forms of Llama 2's generation.
    func prefix(_ root: JSONNode) throws(TokenizerError) -> SentencePieceBPE.Prefix {
        let normalizer = root["normalizer"] ?? .null
        let splitter = root["pre_tokenizer"] ?? .null
        if normalizer.isNull, splitter["type"]?.text == "Metaspace" {
            guard splitter["replacement"]?.text == "\u{2581}", splitter["split"]?.bool == false else {
                throw unsupported("pre_tokenizer", "Metaspace that splits", "Metaspace without a split")
            }
            switch splitter["prepend_scheme"]?.text {
            case "first", "always": return .unlessThere
            case "never": return .none
            case let other: throw unsupported("pre_tokenizer.prepend_scheme", other, "first, always and never")
            }
        }
        guard splitter.isNull else {
            throw unsupported("pre_tokenizer", splitter["type"]?.text, "none, or Metaspace")
        }
        let steps = normalizer["normalizers"]?.array ?? (normalizer.isNull ? [] : [normalizer])
        let names = steps.map { $0["type"]?.text ?? "" }
        let prepends = names.first == "Prepend"
        guard let replace = steps.last, names == (prepends ? ["Prepend", "Replace"] : ["Replace"]),
            replace["pattern"]?["String"]?.text == " ", replace["content"]?.text == "\u{2581}",
            !prepends || steps[0]["prepend"]?.text == "\u{2581}"
        else { throw unsupported("normalizer", names.joined(separator: ", "), "Prepend and Replace of blanks") }
        return prepends ? .always : .none
    }

    func pieces(_ vocabulary: [[UInt8]?], _ special: Set<Int32>) -> [SentencePieceBPE.Piece] {
        vocabulary.enumerated().map { id, text in
            guard let text, !special.contains(Int32(id)) else { return .special }
            return SentencePieceBPE.byte(spelled: text).map { .byte($0) } ?? .text(text)
        }
    }
}

extension SentencePieceBPE {
    /// The byte that `<0xAB>` spells; nothing looks a byte up by small letters.
    static func byte(spelled text: [UInt8]) -> UInt8? {
        guard text.count == 6, let byte = UInt8(String(decoding: text[3..<5], as: UTF8.self), radix: 16) else {
            return nil
        }
        return text.elementsEqual(spelling(of: byte).utf8) ? byte : nil
    }

    static func spelling(of byte: UInt8) -> String {
        "<0x\(byte < 16 ? "0" : "")\(String(byte, radix: 16, uppercase: true))>"
    }
}
