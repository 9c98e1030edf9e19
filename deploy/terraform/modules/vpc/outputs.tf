output "vpc_id" {
  value = aws_vpc.this.id
}

# Nodes need a route to the internet.
output "private_subnet_ids" {
  value      = [for zone in var.zones : aws_subnet.private[zone].id]
  depends_on = [aws_route.nat, aws_route_table_association.private, aws_route_table_association.pods]
}
