extension TaskDefinition {
    /// LaMP-5: the title that a researcher gives to an abstract.
    static let scholarlyTitle = TaskDefinition(
        name: "scholarly_title", lampID: "LaMP_5", kind: .generation,
        metrics: [Rouge1.self, RougeL.self],
        history: HistoryForm(
            prompt: """
                Generate a title for the following abstract of a paper.
                 abstract: {abstract} title:
                """,
            answer: " {title}"),
        retrieval: Retrieval(
            document: "abstract: {abstract} title: {title}\n",
            query: "Generate a title for the following abstract of a paper: {abstract}",
            isDefault: true),
        query: QueryForm(
            prompt: """
                ### User Instruction:
                Generate a title for the following abstract of a paper.
                Abstract: {} Title:
                """,
            parts: [.after("Generate a title for the following abstract of a paper: ")]))
}
