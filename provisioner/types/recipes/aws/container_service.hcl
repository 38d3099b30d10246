resource "aws_cloudwatch_log_group" "this" {
  name              = "/grid/${full}"
  retention_in_days = 30
  tags              = tags
}

resource "aws_iam_role" "this_execution" {
  name = "${short(48)}-execution"
  tags = tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy_attachment" "this_execution" {
  role       = aws_iam_role.this_execution.name
  policy_arn = "arn:aws:iam::aws:policy/service-role/AmazonECSTaskExecutionRolePolicy"
}

resource "aws_ecs_cluster" "this" {
  name = full
  tags = tags
}

# Fargate knows five sizes of processor, each with twice to eight times as much memory.
resource "aws_ecs_task_definition" "this" {
  family                   = full
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = tostring(max(field.cpu_milli, field.memory_mib / 8) <= 256 ? 256 : (max(field.cpu_milli, field.memory_mib / 8) <= 512 ? 512 : (max(field.cpu_milli, field.memory_mib / 8) <= 1024 ? 1024 : (max(field.cpu_milli, field.memory_mib / 8) <= 2048 ? 2048 : 4096))))
  memory                   = tostring(max(field.memory_mib / 1024 * 1024, max(field.cpu_milli, field.memory_mib / 8) <= 256 ? 512 : (max(field.cpu_milli, field.memory_mib / 8) <= 512 ? 1024 : (max(field.cpu_milli, field.memory_mib / 8) <= 1024 ? 2048 : (max(field.cpu_milli, field.memory_mib / 8) <= 2048 ? 4096 : 8192)))))
  execution_role_arn       = aws_iam_role.this_execution.arn
  task_role_arn            = field.identity.role_arn
  tags                     = tags

  container_definitions = jsonencode([{
    name         = name
    image        = field.image
    essential    = true
    portMappings = [{ containerPort = field.port }]
    environment  = [for key, value in field.env : { name = key, value = value }]
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        "awslogs-group"         = aws_cloudwatch_log_group.this.name
        "awslogs-region"        = var.region
        "awslogs-stream-prefix" = name
      }
    }
  }])
}

resource "aws_lb_target_group" "this_service" {
  when        = field.load_balancer != null
  name        = "${short(28)}-svc"
  port        = field.port
  protocol    = "HTTP"
  target_type = "ip"
  vpc_id      = field.network.id
  tags        = tags
}

resource "aws_lb_listener_rule" "this_service" {
  when         = field.load_balancer != null
  listener_arn = field.load_balancer.listener_arn
  tags         = tags

  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.this_service.arn
  }

  condition {
    path_pattern {
      values = ["/*"]
    }
  }
}

resource "aws_ecs_service" "this" {
  name            = name
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.this.arn
  launch_type     = "FARGATE"
  desired_count   = max(field.min, 1)
  propagate_tags  = "SERVICE"
  tags            = tags

  network_configuration {
    subnets         = field.network.private_subnet_ids
    security_groups = field.firewall == null ? null : [field.firewall.id]
  }

  load_balancer {
    when             = field.load_balancer != null
    target_group_arn = aws_lb_target_group.this_service.arn
    container_name   = name
    container_port   = field.port
  }

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  lifecycle {
    ignore_changes = [desired_count]
  }
}

resource "aws_appautoscaling_target" "this" {
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.this.name}"
  min_capacity       = field.min
  max_capacity       = field.max
  tags               = tags
}

resource "aws_appautoscaling_policy" "this" {
  name               = "${full}-cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension
  resource_id        = aws_appautoscaling_target.this.resource_id

  target_tracking_scaling_policy_configuration {
    target_value = 60

    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

out {
  id   = aws_ecs_service.this.id
  name = aws_ecs_service.this.name
}
