package org.megatron.mobile.detector

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.InputStream

/** Opening an artefact folder: what is refused, and as what. */
class OpeningTest {
    private val program = "a program".toByteArray()
    private val golden = mapOf("golden/golden.json" to "{}".toByteArray(), "golden/frames/a.png" to byteArrayOf(1, 2))

    @Test
    fun `a whole folder opens, with the preferred program`() {
        val opened = open() as Opening.Opened

        assertEquals("student.pte", opened.program.path)
        assertEquals(384, opened.manifest.embeddingSize)
        assertEquals(Decision(10.0, 10, 0.5, 0.25, 0.4), opened.manifest.decision)
        assertEquals(0.98, opened.manifest.metrics!!.getValue("student").getValue("test").getValue("auc")!!, 0.0)
    }

    @Test
    fun `the hash of a folder is Python's`() {
        // core.manifest.sha256_of of these two files.
        val files = Files(mapOf("golden/b/c" to "c".toByteArray(), "golden/a" to "a".toByteArray()))

        assertEquals(FOLDER_SHA256, sha256Of(files, "golden"))
    }

    @Test
    fun `nothing there is absent, and no JSON is unreadable`() {
        assertEquals(Opening.Absent, openArtifact(Files(emptyMap())))
        for (text in listOf("", "{", "[]", "{\"schema_version\": 1}", "{\"schema_version\": 1,}", "\u0000")) {
            assertTrue(text, openArtifact(Files(mapOf(MANIFEST_FILE to text.toByteArray()))) is Opening.Unreadable)
        }
    }

    @Test
    fun `another schema version is told by its number, whatever else is wrong`() {
        for ((written, found) in listOf("2" to "2", "\"1\"" to "\"1\"", "null" to "nothing", "1.5" to "1.5")) {
            val text = "{\"schema_version\": $written, \"name\": 7}"

            assertEquals(Opening.OtherVersion(found), openArtifact(Files(mapOf(MANIFEST_FILE to text.toByteArray()))))
        }
    }

    @Test
    fun `a padded fit and an untrained program are refused`() {
        assertEquals(Opening.PaddedFit, open(fit = "pad"))
        assertEquals(Opening.Untrained, open(trained = false))
    }

    @Test
    fun `a folder that prefers another runtime has no program`() {
        assertEquals(Opening.NoProgram("executorch"), open(target = "onnx"))
        assertEquals(Opening.NoProgram("executorch"), open(preferred = "null"))
        assertEquals(Opening.NoProgram("executorch"), open(preferred = "\"elsewhere.pte\""))
    }

    @Test
    fun `what is missing and what was changed is named`() {
        assertEquals(Opening.Missing("student.pte"), open(change = { it - "student.pte" }))
        assertEquals(Opening.Damaged("student.pte"), open(change = { it + ("student.pte" to "another".toByteArray()) }))
        assertEquals(Opening.Missing("golden"), open(change = { it - golden.keys }))
        assertEquals(Opening.Damaged("golden"), open(change = { it - "golden/frames/a.png" }))
        assertEquals(Opening.Damaged("golden"), open(change = { it + ("golden/more" to byteArrayOf()) }))
    }

    @Test
    fun `a value out of its range or a path out of its folder is unreadable`() {
        for ((from, to) in listOf(
            "\"size\": 64" to "\"size\": 65", "\"margin\": 1.5" to "\"margin\": 9", "\"hop\": 10" to "\"hop\": 21",
            "\"hop\": 10" to "\"hop\": 1.5", "\"temperature\": 0.25" to "\"temperature\": 0",
            "\"path\": \"student.pte\"" to "\"path\": \"../student.pte\"",
            "\"path\": \"student.pte\"" to "\"path\": \"/student.pte\"",
            "\"positive_class\": \"fake\"" to "\"positive_class\": \"real\"", "[1, 20, 384]" to "[1, 16, 384]",
            "\"trained\": true" to "\"trained\": 1", "\"encode\"" to "\"encoded\"",
        )) {
            val opening = open(edit = { text -> text.replaceFirst(from, to).also { assertTrue(from, it != text) } })

            assertTrue("$to: $opening", opening is Opening.Unreadable)
        }
    }

    private fun open(
        fit: String = "scale",
        trained: Boolean = true,
        target: String = "executorch",
        preferred: String = "\"student.pte\"",
        edit: (String) -> String = { it },
        change: (Map<String, ByteArray>) -> Map<String, ByteArray> = { it },
    ): Opening {
        val whole = golden + ("student.pte" to program)
        val text = """
            {"schema_version": 1, "name": "demo", "created": "2026-01-01T00:00:00+00:00", "trained": $trained,
             "depth_trained": true,
             "source": {"run": null, "recipe": "demo", "weights_sha256": "ab", "code_version": "0.1.0"},
             "preprocess": {"size": 64, "margin": 1.5, "padding": 0, "fit": "$fit"},
             "decision": {"frame_rate": 10.0, "hop": 10, "min_coverage": 0.5, "temperature": 0.25, "threshold": 0.4,
                          "aggregation": "mean_logits", "positive_class": "fake", "positive_index": 1},
             "methods": [
               {"name": "encode", "inputs": [${tensor("frame", "[1, 3, 64, 64]")}],
                "outputs": [${tensor("rgb_embedding", "[1, 384]")}, ${tensor("depth_embedding", "[1, 384]")}]},
               {"name": "classify", "inputs": [${tensor("rgb", "[1, 20, 384]")}, ${tensor("depth", "[1, 20, 384]")},
                 ${tensor("face_valid", "[1, 20]")}, ${tensor("depth_valid", "[1, 20]")}],
                "outputs": [${tensor("logits", "[1, 2]")}]}],
             "metrics": {"student": {"test": {"auc": 0.98, "undecided": 0, "eer": null}}},
             "preferred": $preferred,
             "artifacts": [{"path": "student.pte", "target": "$target", "backend": "xnnpack", "precision": "int8",
               "methods": ["encode", "classify"], "sha256": "${sha256Of(program.inputStream())}", "size_bytes": 9,
               "runtime": {"name": "executorch", "version": "1.5.1"},
               "parity": {"cases": 40, "max_abs": 0.5, "cosine": 0.999, "agreement": null},
               "accuracy": {"auc": null, "agreement": 1.0}, "verified": "runtime"}],
             "golden": "golden", "golden_sha256": "${sha256Of(Files(golden), "golden")}"}
        """.trimIndent()
        return openArtifact(Files(change(whole) + (MANIFEST_FILE to edit(text).toByteArray())))
    }

    private fun tensor(name: String, shape: String) =
        "{\"name\": \"$name\", \"shape\": $shape, \"dtype\": \"float32\", \"range\": null}"

    private class Files(private val files: Map<String, ByteArray>) : ArtifactFiles {
        override fun open(path: String): InputStream? = files[path]?.inputStream()

        override fun below(folder: String) = files.keys.filter { it.startsWith("$folder/") }.map { it.removePrefix("$folder/") }
    }

    private companion object {
        const val FOLDER_SHA256 = "b4c8752263e1fd0d80d6302e5b149f36a3efb4a06f59a3fd930ede822abe0e9c"
    }
}
