extension TaskDefinition {
    /// LaMP-4: the headline that a journalist writes over an article.
    static let newsHeadline = TaskDefinition(
        name: "news_headline", lampID: "LaMP_4", kind: .generation,
        metrics: [Rouge1.self, RougeL.self],
        history: HistoryForm(
            prompt: """
                ### User Instruction:
                Generate a headline for the following article.
                Article: {text} Headline:
                """,
            answer: " {title}"),
        retrieval: Retrieval(
            document: "Article: {text} Headline: {title}\n",
            query: "Generate a headline for the following article: {text}",
            isDefault: true),
        query: QueryForm(
            prompt: """
                ### User Instruction:
                Generate a headline for the following article.
                Article: {} Headline:
                """,
            parts: [.after("Generate a headline for the following article: ")]))
}
