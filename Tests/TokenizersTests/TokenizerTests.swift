import Foundation
import Testing

@testable import Tokenizers

let forms = Expected.all.forms.keys.sorted()

@Suite("Texts to ids and back")
struct TokenizerTests {
    @Test(arguments: forms)
    func idsAreTheOracles(_ form: String) throws {
        let expected = try #require(Expected.all.forms[form])
        let tokenizer = try tokenizer(form)
        #expect(tokenizer.bos == expected.bos)
        for (text, ids) in zip(Expected.all.texts, expected.ids) {
            #expect(tokenizer.encode(text) == [expected.bos] + ids, "\(text.debugDescription)")
            #expect(tokenizer.encode(text, bos: false) == ids)
            #expect(ids.allSatisfy { (0..<tokenizer.vocabularySize).contains(Int($0)) })
        }
    }

    @Test(arguments: forms)
    func decodedTextIsTheOracles(_ form: String) throws {
        let expected = try #require(Expected.all.forms[form])
        let tokenizer = try tokenizer(form)
        for (ids, text) in zip(expected.ids, expected.decoded) {
            #expect(tokenizer.decode(ids).utf8.elementsEqual(text.utf8), "\(text.debugDescription)")
            #expect(tokenizer.decode([expected.bos] + ids).utf8.elementsEqual(text.utf8))
        }
    }

    /// A model may say anything: bytes that are no text, special tokens among them.
    @Test(arguments: forms)
    func decodedTextOfAnyIDsIsTheOracles(_ form: String) throws {
        let drawn = try #require(Expected.all.forms[form]).drawn
        let tokenizer = try tokenizer(form)
        for (ids, text) in zip(drawn.ids, drawn.decoded) {
            #expect(tokenizer.decode(ids).utf8.elementsEqual(text.utf8), "\(ids): \(text.debugDescription)")
        }
    }

    @Test(arguments: forms)
    func idsOutsideTheVocabularyLeaveNothing(_ form: String) throws {
        let tokenizer = try tokenizer(form)
        let ids = tokenizer.encode("clock", bos: false)
        let outside: [Int32] = [-1, .min, .max, Int32(tokenizer.vocabularySize)]
        #expect(tokenizer.decode(outside) == "")
        #expect(tokenizer.decode(ids + outside) == tokenizer.decode(ids))
    }

    /// A history can neither begin nor end a sequence.
    @Test(arguments: forms)
    func specialTokensInTextArePlainText(_ form: String) throws {
        let tokenizer = try tokenizer(form)
        for name in ["<s>", "</s>", "<unk>", "<|begin_of_text|>", "<|end_of_text|>"] {
            let ids = tokenizer.encode("a\(name)b", bos: false)
            #expect(!ids.contains(tokenizer.bos))
            #expect(ids.count > 3)
            #expect(tokenizer.decode(ids).contains(name))
        }
    }

    /// What a trainer writes whose texts had `<|>` often: a merge of "<" and "|>". The token's id is the vocabulary's, whatever
    /// stands among the added ones.
    @Test(arguments: ["byte-level-strings", "metaspace", "legacy"], [700, 800])
    func noMergeSpellsASpecialToken(_ form: String, _ id: Int) throws {
        let letters = form == "byte-level-strings" ? "" : #""<":702,"|":703,">":704,"#
        var file = String(decoding: bytes(of: form), as: UTF8.self)
        for (old, new) in [
            ("\"added_tokens\":[", #"{"id":\#(id),"content":"<|>","special":true},"#),
            ("\"vocab\":{", #""<|>":700,"|>":701,"# + letters),
            ("\"merges\":[", #"["|",">"],["<","|>"],"#),
        ] {
            try #require(file.contains(old))
            file = file.replacing(old, with: old + new, maxReplacements: 1)
        }
        let tokenizer = try Tokenizer(contents: Array(file.utf8), path: "tokenizer.json")
        let ids = tokenizer.encode("a<|>b", bos: false)
        #expect(!ids.contains(700))
        #expect(ids.contains(701))
        #expect(tokenizer.decode(ids) == "a<|>b")
        #expect(tokenizer.decode([700]) == "")
    }

    @Test(arguments: forms)
    func illFormedBytesCountAsReplacements(_ form: String) throws {
        let tokenizer = try tokenizer(form)
        // Cut off, overlong, a surrogate, beyond Unicode, a stray continuation.
        let parts: [(bytes: [UInt8], replacements: Int)] = [
            ([0xe2, 0x82], 1), ([0xc0, 0xaf], 2), ([0xed, 0xa0, 0x80], 3), ([0xf5, 0x80], 2), ([0x80], 1),
        ]
        for part in parts {
            let text = "a" + String(repeating: "\u{fffd}", count: part.replacements) + "b"
            #expect(tokenizer.encode(utf8: [0x61] + part.bytes + [0x62]) == tokenizer.encode(text))
        }
    }

    @Test func oneVocabularyGivesBothFormsOfMergesTheSameIDs() throws {
        var file = try #require(
            JSONSerialization.jsonObject(with: Data(bytes(of: "byte-level-strings"))) as? [String: Any])
        var model = try #require(file["model"] as? [String: Any])
        let merges = try #require(model["merges"] as? [String])
        model["merges"] = merges.map { $0.components(separatedBy: " ") }
        file["model"] = model
        let pairs = try Tokenizer(
            contents: Array(JSONSerialization.data(withJSONObject: file)), path: "tokenizer.json")
        let strings = try tokenizer("byte-level-strings")
        for text in Expected.all.texts { #expect(pairs.encode(text) == strings.encode(text)) }
    }

    @Test(arguments: forms)
    func longWordsTakeNoLongerByTheByte(_ form: String) throws {
        let tokenizer = try tokenizer(form)
        func seconds(_ count: Int) -> Double {
            let word = String(repeating: "abcdefghij", count: count / 10)
            return processorSeconds {
                let ids = tokenizer.encode(word)
                #expect(ids.count > count / 20)
            }
        }
        _ = seconds(1000)
        // 32 times the bytes: a quadratic merge would take 1,000 times as long.
        let short = (0..<3).map { _ in seconds(8000) }.min()!
        #expect(seconds(256_000) < 200 * short)
    }
}

@Suite("Character classes of Llama 3's pattern")
struct SplitterTests {
    /// All 1,112,064 scalars, by the tokenizers library's own regular expressions.
    @Test func everyScalarHasTheOraclesClass() throws {
        struct Classes: Decodable {
            var letters: [[UInt32]]
            var numbers: [[UInt32]]
            var blanks: [[UInt32]]
        }
        let expected = try JSONDecoder().decode(Classes.self, from: fixture("classes.json"))
        var classes = [Splitter.Class](repeating: .other, count: 0x110000)
        let named: [(Splitter.Class, [[UInt32]])] = [
            (.letter, expected.letters), (.number, expected.numbers), (.space, expected.blanks),
        ]
        for (name, ranges) in named {
            for range in ranges { for value in range[0]...range[1] { classes[Int(value)] = name } }
        }
        classes[0x0a] = .newline
        classes[0x0d] = .newline
        var different: [UInt32] = []
        for value in UInt32(0)..<0x110000 {
            guard let scalar = Unicode.Scalar(value) else { continue }
            if Splitter.classify(scalar) != classes[Int(value)] { different.append(value) }
        }
        #expect(different.isEmpty, "\(different.count) differ, first U+\(String(different.first ?? 0, radix: 16))")
    }
}
