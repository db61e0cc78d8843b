/** What the tests of all modules share. */
package instanseg.export.testing;
