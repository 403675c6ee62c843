// Starts Swagger UI on this server's OpenAPI document. Its dark colours follow the system's.
const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");
const colour = () => document.documentElement.classList.toggle("dark-mode", prefersDark.matches);
colour();
prefersDark.addEventListener("change", colour);

window.SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  filter: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  defaultModelExpandDepth: 3,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  validatorUrl: "none",
});
