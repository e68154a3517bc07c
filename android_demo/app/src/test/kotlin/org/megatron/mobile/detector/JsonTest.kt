package org.megatron.mobile.detector

import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Test

class JsonTest {
    @Test
    fun `every kind of value is read`() {
        val text = """ {"a": [1, -0.5, 2e3, 1E-2], "b": {"c": null, "d": true, "e": false}, "": "\"\\\/\b\f\n\r\té😀"} """

        val value = JsonReader.read(text)

        val expected = mapOf(
            "a" to listOf(1.0, -0.5, 2000.0, 0.01),
            "b" to mapOf("c" to null, "d" to true, "e" to false),
            "" to "\"\\/\b\u000c\n\r\té😀",
        )
        assertEquals(expected, value)
        assertEquals(emptyList<Any>(), JsonReader.read("[]"))
        assertEquals(emptyMap<String, Any>(), JsonReader.read("{ }"))
    }

    @Test
    fun `what RFC 8259 does not allow is refused`() {
        for (text in listOf(
            "", " ", "{", "[1,]", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "[1 2]", "01", "1.", ".5", "+1", "NaN", "Infinity",
            "tru", "nulls", "\"", "\"\\x\"", "\"\\u12g4\"", "\"\\u12", "\"\n\"", "1 2", "{\"a\":1,\"a\":2}", "1e999",
            "[".repeat(1000), "'a'", "[1]]", "-",
        )) {
            assertThrows(text, DocumentFault::class.java) { JsonReader.read(text) }
        }
    }

    @Test
    fun `a fault says where it stands`() {
        val document = JsonObject.read("{\"a\": {\"b\": 3}}")

        val fault = assertThrows(DocumentFault::class.java) { document.child("a").text("b") }
        assertEquals("$.a.b: \"3.0\", where a text or null is needed", fault.message)
        assertThrows(DocumentFault::class.java) { document.child("a").text("missing") }
    }
}
