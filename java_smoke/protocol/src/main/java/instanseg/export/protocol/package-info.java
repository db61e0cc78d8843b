/** The runtime protocol: arrays, settings, the command line and its JSON lines. */
package instanseg.export.protocol;
