import Testing

@testable import Tasks

/// Metrics and BM25 against scikit-learn, rouge_score and rank_bm25.
@Suite struct MetricTests {
    struct MetricCase: Decodable {
        let kind: String
        let labels, predictions, references: [String]
        let values: [Double]
    }

    static func task(_ kind: String, labels: [String]) -> TaskDefinition {
        let metrics: [any Metric.Type] =
            switch kind {
            case "classification": [Accuracy.self, MacroF1.self]
            case "ordinal": [MeanAbsoluteError.self, RootMeanSquaredError.self]
            default: [Rouge1.self, RougeL.self]
            }
        return TaskDefinition(
            name: kind, kind: kind == "ordinal" ? .ordinal(labels: labels) : .classification(labels: labels),
            metrics: metrics, history: .init(prompt: "", answer: "{a}"), retrieval: nil,
            query: .init(prompt: "{}", parts: [.whole]))
    }

    @Test func valuesAreTheReferences() throws {
        for (number, metric) in try Fixture.read([MetricCase].self, "metrics").enumerated() {
            let task = Self.task(metric.kind, labels: metric.labels)
            let score = task.score(metric.predictions, against: metric.references)
            for (name, (made, wanted)) in zip(task.metricNames, zip(score.metrics, metric.values)) {
                #expect(abs(made - wanted) < 1e-9, "case \(number), \(name)")
            }
            let sum = metric.values.reduce(0, +)
            #expect(abs(score.total - (metric.kind == "ordinal" ? -sum : sum)) < 1e-9)
        }
    }

    @Test func totalsAreLargerForBetter() throws {
        let rating = try #require(TaskDefinition.builtIn("LaMP_3"))
        #expect(rating.score(["5"], against: ["5"]).total == 0)
        #expect(rating.score(["3"], against: ["5"]).total == -4)
        #expect(rating.score(["what"], against: ["5"]).metrics == [4, 4])
        #expect(rating.score(["what"], against: ["3"]).metrics == [2, 2])
        #expect(rating.score(["1"], against: ["none"]).metrics == [1.5, 1.5])
        #expect(rating.score(["no"], against: ["none"]).total == 0)
        #expect(rating.score([], against: []).total == 0)
    }

    @Test func citationsHistoryIsScoredAsText() throws {
        let task = try #require(TaskDefinition.builtIn("citation"))
        #expect(task.metricNames == ["rouge-1", "rouge-L"])
        #expect(task.score(["a paper"], against: ["a paper"]).total == 2)
    }

    @Test func labelsAreComparedWithoutTheSpaceAroundThem() throws {
        let task = Self.task("classification", labels: ["[1]", "[2]"])
        #expect(task.score([" [1]\n", "[2]"], against: ["[1]", "[2]"]).total == 2)
        #expect(task.score(["1", "[2]"], against: ["[1]", "[2]"]).metrics[0] == 0.5)
    }

    @Test func labelsAreComparedByBytes() throws {
        let task = Self.task("classification", labels: ["\u{E9}", "e\u{301}"])
        #expect(task.score(["\u{E9}"], against: ["e\u{301}"]).metrics[0] == 0)
        #expect(task.score(["e\u{301} "], against: ["e\u{301}"]).metrics[0] == 1)
    }

    @Test func longestCommonSubsequenceIsThePlainOne() {
        func plain(_ a: [Int], _ b: [Int]) -> Int {
            var row = [Int](repeating: 0, count: b.count + 1)
            for left in a {
                var diagonal = 0
                for (at, right) in b.enumerated() {
                    let above = row[at + 1]
                    row[at + 1] = left == right ? diagonal + 1 : max(above, row[at])
                    diagonal = above
                }
            }
            return row[b.count]
        }
        var random = RandomStream(seed: 3)
        for _ in 0..<300 {
            let letters = 1 + random.next(below: 12)
            let a = (0..<random.next(below: 200)).map { _ in Int(random.next(below: letters)) }
            let b = (0..<random.next(below: 200)).map { _ in Int(random.next(below: letters)) }
            #expect(longestCommonSubsequence(a, b) == plain(a, b))
        }
    }

    struct BM25Case: Decodable {
        let documents: [String]
        let query: String
        let scores: [Double]
        let order: [Int]
    }

    @Test func bm25IsRankBM25() throws {
        for (number, expected) in try Fixture.read([BM25Case].self, "bm25").enumerated() {
            var vocabulary = Vocabulary()
            let bm25 = BM25(expected.documents.map { vocabulary.words(of: $0) })
            let query = vocabulary.words(of: expected.query)
            let scores = bm25.scores(query)
            #expect(zip(scores, expected.scores).allSatisfy { abs($0 - $1) < 1e-9 }, "case \(number)")
            #expect(Array(bm25.best(expected.documents.count, for: query)) == expected.order, "case \(number)")
        }
    }

    @Test func laterDocumentsWinTies() {
        let bm25 = BM25([[1, 2], [1, 2], [3, 4]])
        #expect(bm25.best(3, for: [9]) == [2, 1, 0])
        #expect(bm25.best(2, for: [1]).count == 2)
    }

    @Test func randomNumbersAreThePublishedOnes() {
        // SplitMix64's reference output for seed 1234567.
        var random = RandomStream(seed: 1_234_567)
        for word: UInt64 in [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423] {
            #expect(random.next() == word)
        }
        #expect(random.choose(5, of: 5) == [0, 1, 2, 3, 4])
        #expect(random.choose(9, of: 3) == [0, 1, 2])
        var counts = [Int](repeating: 0, count: 10)
        for _ in 0..<10_000 { for number in random.choose(3, of: 10) { counts[number] += 1 } }
        #expect(counts.allSatisfy { abs($0 - 3000) < 250 })
    }
}

@Suite struct AbsurdNumberTests {
    /// Its square would be no number, and a score that is none ends a search.
    @Test(arguments: ["1e200", String(repeating: "9", count: 300), "-1e160"])
    func aPredictionBeyondAllScalesIsNoNumber(prediction: String) {
        let labels = ["1", "2", "3", "4", "5"]
        for metric in [MeanAbsoluteError.self, RootMeanSquaredError.self] as [any Metric.Type] {
            let found = metric.init(labels: labels).value([prediction, "2"], against: ["2", "2"])
            #expect(found == metric.init(labels: labels).value(["none", "2"], against: ["2", "2"]))
            #expect(found.isFinite && found > 0)
        }
    }
}
