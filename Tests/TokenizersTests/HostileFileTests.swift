import Foundation
import Testing

@testable import Tokenizers

@Suite("Tokenizers from outside")
struct HostileFileTests {
    /// A broken tokenizer.json: what replaces what in a sound one, and what the error must say.
    struct Broken: Sendable, CustomTestStringConvertible {
        var name: String
        var form = "byte-level-strings"
        var old: String
        var new: String
        var code = TokenizerError.Code.malformed
        var says: String

        var testDescription: String { name }
    }

    static let broken = [
        Broken(name: "no model", old: "\"model\":{", new: "\"modell\":{", code: .unsupported, says: "model.type"),
        Broken(
            name: "Unigram", old: "\"type\":\"BPE\"", new: "\"type\":\"Unigram\"", code: .unsupported, says: "Unigram"),
        Broken(name: "dropout", old: "\"dropout\":null", new: "\"dropout\":0.1", code: .unsupported, says: "dropout"),
        Broken(
            name: "suffixes", old: "\"end_of_word_suffix\":null", new: "\"end_of_word_suffix\":\"</w>\"",
            code: .unsupported, says: "end_of_word_suffix"),
        Broken(name: "vocabulary of a list", old: "\"vocab\":{", new: "\"vocab\":[],\"v\":{", says: "model.vocab"),
        Broken(name: "negative id", old: "\"!\":0", new: "\"!\":-1", says: "model.vocab"),
        Broken(name: "huge id", old: "\"!\":0", new: "\"!\":4294967296", says: "model.vocab"),
        Broken(name: "id beyond any vocabulary", old: "\"!\":0", new: "\"!\":16000000", says: "model.vocab"),
        Broken(name: "fraction of an id", old: "\"!\":0", new: "\"!\":0.5", says: "model.vocab"),
        Broken(name: "id of a text", old: "\"!\":0", new: "\"!\":\"0\"", says: "model.vocab"),
        Broken(name: "id twice", old: "\"!\":0", new: "\"!\":1", says: "twice"),
        Broken(name: "not of the alphabet", old: "\"!\":0", new: "\"\u{4e00}\":0", says: "alphabet"),
        Broken(
            name: "merge of strangers", old: "\"merges\":[", new: "\"merges\":[\"qqqq zzzz\",", says: "model.merges[0]"),
        Broken(
            name: "merge of three", old: "\"merges\":[", new: "\"merges\":[[\"a\",\"b\",\"c\"],",
            says: "model.merges[0]"),
        Broken(name: "merge of a number", old: "\"merges\":[", new: "\"merges\":[7,", says: "model.merges[0]"),
        Broken(
            name: "another pattern", old: "\"Regex\":\"", new: "\"Regex\":\"\\\\d|", code: .unsupported,
            says: "pre_tokenizer"),
        Broken(
            name: "prefix space", old: "\"add_prefix_space\":false", new: "\"add_prefix_space\":true",
            code: .unsupported, says: "add_prefix_space"),
        Broken(
            name: "normalizer", old: "\"normalizer\":null", new: "\"normalizer\":{\"type\":\"NFC\"}",
            code: .unsupported, says: "NFC"),
        Broken(
            name: "no BOS", old: "{\"SpecialToken\":{\"id\":\"<|begin_of_text|>",
            new: "{\"SpecialToken\":{\"id\":\"<|start|>", says: "post_processor"),
        Broken(
            name: "added token that is not special", old: "\"special\":true", new: "\"special\":false",
            code: .unsupported, says: "added_tokens"),
        Broken(
            name: "Metaspace that splits", form: "metaspace", old: "\"split\":false", new: "\"split\":true",
            code: .unsupported, says: "Metaspace"),
        Broken(
            name: "another normalizer", form: "legacy", old: "\"type\":\"Prepend\"", new: "\"type\":\"Lowercase\"",
            code: .unsupported, says: "Lowercase"),
        Broken(
            name: "byte fallback without a byte", form: "legacy", old: "\"<0xE4>\":", new: "\"<0xe4>\":",
            code: .unsupported, says: "without <0xE4>"),
        Broken(
            name: "byte fallback that ignores merges", form: "legacy", old: "\"ignore_merges\":false",
            new: "\"ignore_merges\":true", code: .unsupported, says: "model.ignore_merges"),
        Broken(
            name: "a text where an object belongs", old: "\"model\":{", new: "\"model\":\"x\",\"m\":{",
            says: "model"),
        Broken(
            name: "deep nesting", old: "\"version\":",
            new: "\"x\":" + String(repeating: "[", count: 100_000) + ",\"version\":", says: "nested"),
        Broken(
            name: "sign in an escape", old: "\"version\":", new: "\"x\":\"\\u+041\",\"version\":",
            says: "hex digits"),
        Broken(
            name: "terminal's own words", old: "\"type\":\"BPE\"", new: "\"type\":\"\u{9b}2J\u{202e}\"",
            code: .unsupported, says: "\\u{9b}2J\\u{202e}"),
        Broken(name: "bad escape", old: "\"version\":", new: "\"x\":\"\\q\",\"version\":", says: "escape"),
    ]

    @Test(arguments: broken)
    func mistakesAreNamed(_ broken: Broken) throws {
        let sound = String(decoding: bytes(of: broken.form), as: UTF8.self)
        try #require(sound.contains(broken.old))
        let file = sound.replacing(broken.old, with: broken.new, maxReplacements: 1)
        let error = #expect(throws: TokenizerError.self) {
            _ = try Tokenizer(contents: Array(file.utf8), path: "here/tokenizer.json")
        }
        #expect(error?.code == broken.code)
        #expect(error?.place.hasPrefix("here/tokenizer.json") == true)
        #expect(error?.description.contains(broken.says) == true, "\(error?.description ?? "")")
        #expect(error?.remedy.isEmpty == false)
    }

    /// The tokenizers library leaves such a byte out where there is no unknown token, and so does primed.
    @Test func noUnknownTokenStandsForABytesPlace() throws {
        let sound = String(decoding: bytes(of: "byte-level-strings"), as: UTF8.self)
        let named = sound.replacing("\"unk_token\":null", with: "\"unk_token\":\"?\"")
        try #require(named != sound)
        func ids(_ file: String) throws -> [Int32] {
            try Tokenizer(contents: Array(file.utf8), path: "tokenizer.json").encode(utf8: Array("a\u{3ffff}b".utf8))
        }
        #expect(try ids(named) == ids(sound))
        // U+0143 spells byte 173, and no merge has it.
        func without(_ file: String) -> String { file.replacing("\"\u{143}\":", with: "\"\u{143}\u{143}\":") }
        try #require(without(sound) != sound)
        #expect(throws: Never.self) { _ = try ids(without(sound)) }
        let error = #expect(throws: TokenizerError.self) { _ = try ids(without(named)) }
        #expect(error?.place == "tokenizer.json: model.unk_token")
        #expect(error?.found.contains("byte 173") == true)
    }

    @Test func everyByteNeedsItsSentencePiece() throws {
        var file = bytes(of: "sentencepiece")
        let at = try #require(file.firstRange(of: Array("<0x7F>".utf8))).lowerBound
        file[at + 1] = UInt8(ascii: "1")
        let error = #expect(throws: TokenizerError.self) {
            _ = try Tokenizer(contents: file, path: "tokenizer.model")
        }
        #expect(error?.found == "no byte piece <0x7F>")
    }

    @Test(arguments: forms)
    func everyPrefixIsRefused(_ form: String) throws {
        let sound = bytes(of: form)
        let path = file(of: form).lastPathComponent
        let steps = stride(from: 0, to: sound.count - 1, by: max(1, sound.count / 60))
        for count in steps {
            // A message's prefix can be a message: then it lacks its settings.
            #expect(throws: TokenizerError.self) { try Tokenizer(contents: Array(sound.prefix(count)), path: path) }
        }
    }

    /// What is damaged is read or refused, and what is read works.
    @Test(arguments: forms.filter { $0 != "example" })
    func damagedFilesAreReadOrRefused(_ form: String) throws {
        let sound = bytes(of: form)
        let path = file(of: form).lastPathComponent
        var random = SplitMix(state: 11)
        var refused = 0
        for _ in 0..<400 {
            var damaged = sound
            for _ in 0...Int(random.next() % 3) {
                let at = Int(random.next() % UInt64(damaged.count))
                switch random.next() % 4 {
                case 0: damaged[at] = UInt8(truncatingIfNeeded: random.next())
                case 1: damaged[at] ^= 1 << UInt8(random.next() % 8)
                case 2: damaged.removeSubrange(at..<min(damaged.count, at + Int(random.next() % 20) + 1))
                default: damaged.insert(contentsOf: damaged[at..<min(damaged.count, at + 9)], at: at)
                }
            }
            do {
                let tokenizer = try Tokenizer(contents: damaged, path: path)
                let ids = tokenizer.encode("a clock for X\n 12345 \u{1f600}")
                #expect(ids.allSatisfy { (0..<tokenizer.vocabularySize).contains(Int($0)) })
                _ = tokenizer.decode(ids)
            } catch {
                #expect(!error.description.isEmpty)
                refused += 1
            }
        }
        #expect(refused > 20)
    }

    /// A piece is two bytes of a file, so that a small file could fill the memory.
    @Test func moreSentencePiecesThanAnyVocabularyAreRefused() {
        let file = Array(repeatElement([UInt8(0x0a), 0], count: 6).joined())
        let error = #expect(throws: TokenizerError.self) {
            _ = try SentencePieceFile(file, path: "here", mostPieces: 5)
        }
        #expect(error?.description.contains("more than 5 pieces") == true)
    }

    /// Trainers and normalizers by their field numbers: a sound model has byte pairs (3: 2), falls back on bytes (35: 1) and
    /// removes no blanks (4: 0).
    @Test(
        arguments: [
            ([3: 2, 35: 1], [4: 0], nil), ([3: 2, 35: 1, 24: 0], [4: 0, 5: 1, 3: 0], nil),
            ([3: 1, 35: 1], [4: 0], "BPE"), ([35: 1], [4: 0], "BPE"),
            ([3: 2], [4: 0], "byte fallback"), ([3: 2, 35: 0], [4: 0], "byte fallback"),
            ([3: 2, 35: 1], [:], "remove_extra_whitespaces"), ([3: 2, 35: 1], [4: 1], "remove_extra_whitespaces"),
            ([3: 2, 35: 1], [4: 0, 5: 0], "blanks"), ([3: 2, 35: 1, 24: 1], [4: 0], "blanks"),
            ([3: 2, 35: 1, 41: 3], [4: 0], "bos_id 3"),
            ([3: 2, 35: 1, 41: 0], [4: 0], "no control piece"), ([3: 2, 35: 1, 41: 2], [4: 0], "bos_id 2, which is a"),

        ] as [([Int: Int], [Int: Int], String?)])
    func otherKindsOfSentencePieceModelsAreRefused(_ trainer: [Int: Int], _ normalizer: [Int: Int], _ says: String?) {
        func message(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] { [number << 3 | 2, UInt8(bytes.count)] + bytes }
        func settings(_ values: [Int: Int]) -> [UInt8] {
            values.sorted { $0.key < $1.key }.flatMap { number, value in
                number < 16
                    ? [UInt8(number << 3), UInt8(value)]
                    : [UInt8(number << 3 & 0x7f | 0x80), UInt8(number >> 4), UInt8(value)]
            }
        }
        let pieces: [[UInt8]] = [("<unk>", 2), ("<s>", 3), ("a", 1)].map { text, kind in
            message(1, message(1, Array(text.utf8)) + [3 << 3, kind])
        }
        let file = pieces.joined() + message(2, settings(trainer)) + message(3, settings(normalizer))
        do {
            _ = try SentencePieceFile(Array(file), path: "here")
            #expect(says == nil)
        } catch {
            #expect(says.map(error.description.contains) == true, "\(error.description)")
        }
    }

    @Test func manySpecialTokensAreNoSlower() throws {
        let sound = String(decoding: bytes(of: "byte-level-strings"), as: UTF8.self)
        let added = (0..<80_000).map { #"{"id":\#(600 + $0),"content":"s\#($0)","special":true},"# }.joined()
        let tokens = (0..<80_000).map { #""~\#($0)":\#(600 + $0),"# }.joined()
        let file = sound.replacing("\"added_tokens\":[", with: "\"added_tokens\":[\(added)", maxReplacements: 1)
            .replacing("\"vocab\":{", with: "\"vocab\":{\(tokens)", maxReplacements: 1)
        let seconds = try processorSeconds {
            let tokenizer = try Tokenizer(contents: Array(file.utf8), path: "tokenizer.json")
            #expect(tokenizer.vocabularySize == 80_600)
        }
        #expect(seconds < 60)
    }

    /// Pieces that fell into one slot of the table when its hash was the same in every process.
    @Test func piecesCannotBeChosenToCollide() {
        func mixed(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_".utf8)
        let count = 1000
        var colliding: [[UInt8]] = []
        var number = 0
        while colliding.count < count {
            let front = Array(String(number, radix: 36).utf8)
            number += 1
            let hash = front.reduce(0xcbf2_9ce4_8422_2325, mixed)
            for a in letters {
                let before = mixed(hash, a)
                for b in letters {
                    let full = mixed(before, b)
                    if (full ^ (full >> 29)) & 2047 == 0 { colliding.append(front + [a, b]) }
                }
            }
        }
        let ordinary = (0..<count).map { Array("~\($0)".utf8) }
        func time(_ pieces: [[UInt8]]) -> Double {
            processorSeconds {
                let table = PieceTable(pieces.prefix(count).enumerated().map { ($1, Int32($0)) })
                #expect(table[pieces[count - 1]] == Int32(count - 1))
            }
        }
        #expect(time(colliding) < time(ordinary) * 20)
    }

    @Test func whatIsNoFileIsRefused() throws {
        let scratch = FileManager.default.temporaryDirectory.appending(path: "primed-tokenizer-\(UUID())")
        try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: scratch) }
        let json = scratch.appending(path: "tokenizer.json").path
        func code() -> TokenizerError.Code? {
            do {
                _ = try Tokenizer(folder: scratch.path)
                return nil
            } catch { return error.code }
        }
        #expect(code() == .unreadable)
        try FileManager.default.createSymbolicLink(
            atPath: json, withDestinationPath: file(of: "byte-level-pairs").path)
        #expect(code() == .unreadable)
        try FileManager.default.removeItem(atPath: json)
        #expect(mkfifo(json, 0o600) == 0)
        #expect(code() == .unreadable)
        try FileManager.default.removeItem(atPath: json)
        try FileManager.default.createDirectory(atPath: json, withIntermediateDirectories: false)
        #expect(code() == .unreadable)
    }
}

/// A small seeded generator.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
